#include "broker/network/answer_writer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <array>

#include "base/bytes.h"
#include "base/posix_files.h"
#include "base/random.h"
#include "tests/support/storage/temporary_directory.h"

using broker::AnswerWriter;

namespace {

struct Sockets {
  Sockets() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) == 0); }
  ~Sockets() {
    ::close(fds[0]);
    ::close(fds[1]);
  }
  std::string drain() const {
    std::string out;
    std::array<char, 65536> part;
    for (;;) {
      const auto n = ::recv(fds[1], part.data(), part.size(), 0);
      if (n <= 0) return out;
      out.append(part.data(), static_cast<std::size_t>(n));
    }
  }
  std::array<int, 2> fds{};
};

struct DataFile {
  explicit DataFile(std::size_t size) {
    base::SeededRandom random{5};
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(random.next());
    auto opened = files.open(directory.file("data"), base::OpenMode::create_new);
    REQUIRE(opened.ok());
    REQUIRE((*opened)->write_at(0, std::array{base::as_bytes(bytes)}).ok());
    file = std::move(*opened);
  }
  support::TemporaryDirectory directory;
  base::PosixFiles files;
  std::string bytes;
  std::shared_ptr<const base::File> file;
};

base::Slice text(std::string_view static_text) { return {nullptr, base::as_bytes(static_text)}; }

}  // namespace

TEST_CASE("ranges of a file leave whole and in order, wherever they begin and end") {
  DataFile data(3 << 20);
  base::SeededRandom random{11};
  constexpr std::array<std::size_t, 10> kSizes{1,     4095,       4096,       40'000,    57'343,
                                               65536, 57'344 + 1, 61'440 + 2, 1'000'003, (1 << 20) + 4096};
  for (int round = 0; round < 40; ++round) {
    Sockets sockets;
    AnswerWriter writer;
    writer.look_for_cold_ranges(round % 2 == 0);
    std::string expected, received;
    for (int answer = 0; answer < 4; ++answer) {
      base::BufferChain chain;
      const auto size = kSizes[random.next() % kSizes.size()];
      const auto position = round % 4 == 3 ? 8192 : random.next() % (data.bytes.size() - size);
      chain.append(text("head"));
      chain.append(base::FileSlice{data.file, position, size});
      chain.append(text("end"));
      expected += "head" + data.bytes.substr(position, size) + "end";
      writer.push(std::move(chain));
    }
    REQUIRE(writer.unsent_bytes() == expected.size());
    for (;;) {
      const auto outcome = writer.write(sockets.fds[0]);
      REQUIRE(outcome != AnswerWriter::Outcome::failed);
      if (outcome == AnswerWriter::Outcome::cold) writer.warmed();
      received += sockets.drain();
      if (outcome == AnswerWriter::Outcome::drained) break;
    }
    REQUIRE(received == expected);
    REQUIRE(writer.unsent_bytes() == 0);
  }
}

TEST_CASE("a range that its file no longer holds fails the answer instead of sending something else") {
  DataFile data(100'000);
  for (const std::size_t size : {20'000, 90'000}) {
    Sockets sockets;
    AnswerWriter writer;
    base::BufferChain chain;
    chain.append(base::FileSlice{data.file, 100'000 - 10'001, size});
    writer.push(std::move(chain));
    auto outcome = writer.write(sockets.fds[0]);
    while (outcome == AnswerWriter::Outcome::blocked) {
      (void)sockets.drain();
      outcome = writer.write(sockets.fds[0]);
    }
    CHECK(outcome == AnswerWriter::Outcome::failed);
    CHECK(writer.failure().find("ends before") != std::string::npos);
  }
}
