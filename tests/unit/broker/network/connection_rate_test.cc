#include "broker/network/connection_rate.h"

#include <catch2/catch.hpp>

using namespace broker;
using namespace std::chrono_literals;

namespace {

constexpr base::Instant kStart{100s};

// How many are let in without waiting.
int let_in(ConnectionRate& rate, std::size_t listener, base::Instant now, int at_most = 100) {
  int count = 0;
  for (; count < at_most && rate.delay(listener, now) == base::Duration::zero(); ++count) rate.accepted(listener, now);
  return count;
}

}  // namespace

TEST_CASE("without a rate nobody waits") {
  NetworkSettings settings;
  settings.listeners.resize(1);
  ConnectionRate rate(settings);
  CHECK(let_in(rate, 0, kStart, 100000) == 100000);
}

TEST_CASE("a listener has its own rate within that of all") {
  NetworkSettings settings;
  settings.listeners.resize(2);
  settings.max_connection_rate = 10;
  settings.listeners[0].max_connection_rate = 4;
  ConnectionRate rate(settings);
  CHECK(let_in(rate, 0, kStart) == 4);
  CHECK(let_in(rate, 1, kStart) == 6);
  CHECK(let_in(rate, 0, kStart + 1s) == 4);
  CHECK(let_in(rate, 0, kStart + 1500ms) == 2);
}

TEST_CASE("brokers get in at any rate of clients, where they have a listener of their own") {
  NetworkSettings settings;
  settings.listeners.resize(2);
  settings.listeners[1].inter_broker = true;
  settings.max_connection_rate = 0;
  ConnectionRate apart(settings);
  CHECK(let_in(apart, 0, kStart) == 0);
  CHECK(apart.delay(0, kStart) <= 1s);
  CHECK(let_in(apart, 1, kStart) == 100);
  settings.listeners.erase(settings.listeners.begin());
  ConnectionRate together(settings);
  CHECK(let_in(together, 0, kStart) == 0);
}
