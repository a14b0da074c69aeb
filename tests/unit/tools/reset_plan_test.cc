// Where offsets are moved to: times, arithmetic, what users write, plans as files.
#include "tools/consumer_groups/reset_plan.h"

#include <catch2/catch.hpp>

#include <limits>
#include <random>

#include "tools/consumer_groups/times.h"

using base::Offset;
using namespace std::chrono_literals;
using namespace tools;

namespace {

std::int64_t duration_ms(std::string_view text) {
  return std::get<std::chrono::milliseconds>(parse_duration(text)).count();
}
std::int64_t time_ms(std::string_view text) { return base::to_ms(std::get<base::Timestamp>(parse_date_time(text))); }
template <class T>
std::string refusal(const std::variant<T, Failure>& parsed) {
  const auto* failure = std::get_if<Failure>(&parsed);
  return failure ? failure->message : "accepted";
}

constexpr std::int64_t kLongest = std::numeric_limits<std::int64_t>::max();

}  // namespace

TEST_CASE("durations are read as java.time.Duration reads them") {
  CHECK(duration_ms("PT15M") == 15 * 60'000);
  CHECK(duration_ms("P2D") == 2 * 86'400'000LL);
  CHECK(duration_ms("p2dt3h4m5.5s") == 2 * 86'400'000LL + 3 * 3'600'000 + 4 * 60'000 + 5'500);
  CHECK(duration_ms("PT20.345S") == 20'345);
  CHECK(duration_ms("PT0.1239999S") == 123);
  CHECK(duration_ms("PT1,5S") == 1'500);
  CHECK(duration_ms("PT5.S") == 5'000);
  CHECK(duration_ms("P-6DT3H") == -6 * 86'400'000LL + 3 * 3'600'000);
  CHECK(duration_ms("-PT-6H+3M") == 6 * 3'600'000 - 3 * 60'000);
  CHECK(duration_ms("PT-0.5S") == -500);
  CHECK(duration_ms("PT100H") == 360'000'000);
}

TEST_CASE("what is no duration is refused in Java's words") {
  for (auto text : {"",
                    "P",
                    "PT",
                    "P1",
                    "1D",
                    "PD",
                    "P1DT",
                    "PT1D",
                    "P1H",
                    "PT1S2M",
                    "PT1M1M",
                    "P1Y",
                    "P1W",
                    "PT1.5M",
                    "PT.5S",
                    "P1D ",
                    "PT1.0000000001S",
                    "foo",
                    "P--1D",
                    "PT1H1",
                    "P+D"})
    CHECK(refusal(parse_duration(text)) == "Text cannot be parsed to a Duration");
  CHECK(refusal(parse_duration("P999999999999999D")) == "Text cannot be parsed to a Duration: overflow");
}

TEST_CASE("points in time are UTC unless a zone says otherwise") {
  constexpr std::int64_t kTime = 1'700'000'010'123;  // 2023-11-14T22:13:30.123Z
  CHECK(time_ms("2023-11-14T22:13:30.123") == kTime);
  CHECK(time_ms("2023-11-14T22:13:30.123Z") == kTime);
  CHECK(time_ms("2023-11-15T00:13:30.123+02") == kTime);
  CHECK(time_ms("2023-11-15T00:13:30.123+02:00") == kTime);
  CHECK(time_ms("2023-11-15T03:43:30.123+0530") == kTime);
  CHECK(time_ms("2023-11-14T17:13:30.123-05:00") == kTime);
  CHECK(time_ms("1970-01-01T00:00:00.000") == 0);
  CHECK(time_ms("1970-1-1T0:0:0.7") == 7);
  CHECK(time_ms("2024-02-29T23:59:59.999") == 1'709'251'199'999);
}

TEST_CASE("what is no point in time is refused in Java's words") {
  CHECK(refusal(parse_date_time("2023-11-14")).starts_with("Error parsing timestamp. It does not contain a 'T'"));
  CHECK(refusal(parse_date_time("2023-11-14T22:13:30")) == "Unparseable date: \"2023-11-14T22:13:30Z\"");
  CHECK(refusal(parse_date_time("2023-11-14T22:13:30Z")) == "Unparseable date: \"2023-11-14T22:13:30Z\"");
  for (auto text : {"2023-13-14T22:13:30.000", "2023-02-29T22:13:30.000", "2023-00-10T22:13:30.000",
                    "2023-11-14T24:00:00.000", "2023-11-14T22:60:00.000", "2023-11-14T22:13:61.000", "T", "aTb",
                    "2023-11-14T22:13:30.000+2", "2023-11-14T22:13:30.000+99:00", "2023-11-14T22:13:30.000ZZ",
                    "2023-11-14T22:13:30.000+02:0x", "99999999999999999999-01-01T00:00:00.000"})
    CHECK(refusal(parse_date_time(text)) != "accepted");
}

TEST_CASE("bytes that are no time are refused, never worse") {
  std::mt19937 random(7);
  constexpr std::string_view kLetters = "PTDHMSZ0123456789+-.,: \xff";
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto size = random() % 24; size > 0; --size) text += kLetters[random() % kLetters.size()];
    (void)parse_duration(text);
    (void)parse_date_time(text);
  }
}

TEST_CASE("a topic is chosen whole or by partitions") {
  const auto whole = std::get<TopicChoice>(parse_topic_choice("t.x"));
  CHECK(whole.topic == "t.x");
  CHECK_FALSE(whole.partitions);
  const auto some = std::get<TopicChoice>(parse_topic_choice("t:2,0,17"));
  CHECK(some.topic == "t");
  CHECK(some.partitions == std::vector<base::PartitionIndex>{2, 0, 17});
  for (auto [text, culprit] :
       {std::pair{"t:x", "x"}, {"t:", ""}, {"t:1,", ""}, {"t:1,,2", ""}, {"t:99999999999", "99999999999"}})
    CHECK(refusal(parse_topic_choice(text)) == fmt::format("For input string: \"{}\"", culprit));
}

TEST_CASE("shifting never wraps around") {
  CHECK(shifted(Offset{10}, -3) == Offset{7});
  CHECK(shifted(Offset{10}, 5) == Offset{15});
  CHECK(shifted(Offset{10}, kLongest) == Offset{kLongest});
  CHECK(shifted(Offset{-10}, std::numeric_limits<std::int64_t>::min()).raw < -10);
}

TEST_CASE("offsets outside of the log move to its nearer end, with a warning") {
  const base::TopicPartition partition{"t", 3};
  const LogRange range{Offset{5}, Offset{9}};
  for (std::int64_t inside : {5, 7, 9}) {
    CHECK(clamp(partition, Offset{inside}, range).offset == Offset{inside});
    CHECK(clamp(partition, Offset{inside}, range).warning.empty());
  }
  CHECK(clamp(partition, Offset{100}, range).offset == Offset{9});
  CHECK(clamp(partition, Offset{100}, range).warning ==
        "New offset (100) is higher than latest offset for topic partition t-3. Value will be set to 9");
  CHECK(clamp(partition, Offset{-1}, range).offset == Offset{5});
  CHECK(clamp(partition, Offset{-1}, range).warning ==
        "New offset (-1) is lower than earliest offset for topic partition t-3. Value will be set to 5");
}

TEST_CASE("a plan has rows of one group or of many, and comes back as it was exported") {
  const ResetPlan one{{"g", {{{"a", 0}, Offset{5}}, {{"b", 12}, Offset{0}}}}};
  CHECK(export_plan(one, false) == "a,0,5\nb,12,0\n");
  CHECK(export_plan(one, true) == "g,a,0,5\ng,b,12,0\n");
  CHECK(std::get<ResetPlan>(parse_plan("a,0,5\nb,12,0\n", "g")) == one);
  CHECK(std::get<ResetPlan>(parse_plan("a,0,5\r\nb,12,0\r\n\r\n", "g")) == one);
  CHECK(std::get<ResetPlan>(parse_plan("g,a,0,5\ng,b,12,0", "g")) == one);  // the file says which group
  const ResetPlan many{{"comma, quote\" and blank", {{{"a", 0}, Offset{5}}}},
                       {"g2", {{{"a-topic-longer-than-24-letters", 1}, Offset{kLongest}}}}};
  CHECK(export_plan(many, true) ==
        "\"comma, quote\"\" and blank\",a,0,5\ng2,\"a-topic-longer-than-24-letters\",1,9223372036854775807\n");
  CHECK(std::get<ResetPlan>(parse_plan(export_plan(many, true), std::nullopt)) == many);
  CHECK(std::get<ResetPlan>(parse_plan("", "g")).empty());
}

TEST_CASE("a row that is none is named with its line") {
  CHECK(refusal(parse_plan("a,0,5\nb,x,0\n", "g")) == "line 2 is not \"topic,partition,offset\": b,x,0");
  CHECK(refusal(parse_plan("a,0,5\n", std::nullopt)) == "line 1 is not \"group,topic,partition,offset\": a,0,5");
  for (auto text : {"a", "a,0", "a,0,5,6,7", "\"a,0,5", "a,99999999999,5", "a,0,99999999999999999999", ",0,5"})
    CHECK(refusal(parse_plan(text, "g")) != "accepted");
}
