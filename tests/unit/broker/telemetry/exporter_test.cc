#include "broker/telemetry/exporter.h"

#include <sys/socket.h>

#include <absl/synchronization/notification.h>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "tests/support/broker/loopback.h"

using namespace broker;
using test::Client;

namespace {

struct Served {
  explicit Served(ExporterSettings settings = {})
      : exporter(
            [&] {
              settings.host = "127.0.0.1";
              return settings;
            }(),
            metrics) {
    metrics.add({"weir_things", "things", "Things there are"}, [] { return 7.0; });
    REQUIRE(exporter.start().ok());
  }

  base::Metrics metrics;
  Exporter exporter;
};

// Everything until the server closes.
std::string rest_of(Client& client) {
  std::string all;
  char bytes[4096];
  for (ssize_t n; (n = ::recv(client.descriptor(), bytes, sizeof bytes, 0)) > 0;)
    all.append(bytes, static_cast<std::size_t>(n));
  return all;
}

std::string ask(const Served& served, const std::string& request) {
  Client client(served.exporter.port());
  client.send(request);
  return rest_of(client);
}

bool says(const std::string& answer, const std::string& status) { return answer.starts_with("HTTP/1.1 " + status); }

}  // namespace

TEST_CASE("GET /metrics shows the metrics, and the connection ends") {
  Served served;
  for (const std::string target : {"/metrics", "/metrics?name=x"}) {
    const auto answer = ask(served, "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n");
    CHECK(says(answer, "200"));
    CHECK(answer.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != std::string::npos);
    CHECK(answer.find("Connection: close\r\n") != std::string::npos);
    CHECK(answer.find("# HELP weir_things Things there are (things)\n# TYPE weir_things gauge\nweir_things 7\n") !=
          std::string::npos);
  }
}

TEST_CASE("anything but GET /metrics is refused") {
  Served served;
  CHECK(says(ask(served, "GET / HTTP/1.1\r\n\r\n"), "404"));
  CHECK(says(ask(served, "GET /metricsx HTTP/1.1\r\n\r\n"), "404"));
  CHECK(says(ask(served, "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), "405"));
  CHECK(says(ask(served, "DELETE /metrics HTTP/1.1\r\n\r\n"), "405"));
  // No body is read, however it is announced.
  CHECK(says(ask(served, "GET /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\n"), "400"));
  CHECK(says(ask(served, "GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"), "400"));
}

TEST_CASE("what is no HTTP is refused, and the next visitor is served") {
  Served served({.max_time = std::chrono::milliseconds(500)});  // of some it waits for more
  const std::vector<std::string> hostile{
      "\r\n\r\n\r\n",
      "GET\r\n\r\n",
      "GET /metrics HTTP/9.9\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nno colon\r\n\r\n",
      std::string("GET /met\0rics HTTP/1.1\r\n\r\n", 26),
      std::string("\x00\x00\x00\x15\x00\x12\x00\x03\x00\x00\x00\x01\x00\x04test\x00", 19) + "\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 the beginning of TLS\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  for (const auto& bytes : hostile) {
    const auto answer = ask(served, bytes);
    CHECK_FALSE(says(answer, "200"));
  }
  CHECK(says(ask(served, "GET /metrics HTTP/1.1\r\n\r\n"), "200"));
}

TEST_CASE("a request has a largest size") {
  Served served({.max_request_bytes = 1024});
  CHECK(says(ask(served, "GET /metrics HTTP/1.1\r\nX: " + std::string(900, 'x') + "\r\n\r\n"), "200"));
  const auto answer = ask(served, "GET /metrics HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  CHECK_FALSE(says(answer, "200"));
  CHECK_FALSE(says(ask(served, "GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\n\r\n"), "200"));
}

TEST_CASE("who says nothing is cut off, and makes room for who waits") {
  Served served({.max_connections = 2, .max_time = std::chrono::milliseconds(100)});
  Client silent(served.exporter.port()), slow(served.exporter.port());
  slow.send("GET /metrics HTTP/1.1\r\n");
  CHECK(says(ask(served, "GET /metrics HTTP/1.1\r\n\r\n"), "200"));
  CHECK(silent.closed_by_peer());
  CHECK(slow.closed_by_peer());
}

TEST_CASE("a stop cuts off whoever is being served") {
  Served served;
  Client silent(served.exporter.port());
  CHECK(says(ask(served, "GET /metrics HTTP/1.1\r\n\r\n"), "200"));  // it was accepted before this one
  served.exporter.stop();
  CHECK(silent.closed_by_peer());
  CHECK_FALSE(test::can_connect(served.exporter.port()));
}

TEST_CASE("an address that cannot be had is told as the setting's fault") {
  Served served;
  Exporter second({.host = "127.0.0.1", .port = served.exporter.port()}, served.metrics);
  const auto started = second.start();
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().detail.find("metrics.listener=127.0.0.1:") == 0);
  Exporter nowhere({.host = "no-such-host.invalid", .port = 0}, served.metrics);
  CHECK_FALSE(nowhere.start().ok());
}
