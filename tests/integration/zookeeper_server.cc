#include "tests/integration/zookeeper_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "tests/support/replication/store_suite.h"

// The library loses a request that is being completed while its handle is closed.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libzookeeper_mt"; }
// Its log lines format addresses in a static buffer, which two sessions in one process (only tests have them) share.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:libzookeeper_mt"; }

namespace test_support {

namespace {

constexpr const char* kClassPath = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-nop.jar";

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

std::uint16_t free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  REQUIRE(bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(probe);
  return ntohs(address.sin_port);
}

}  // namespace

ZookeeperServer::ZookeeperServer() : port_(free_port()) {
  char pattern[] = "/tmp/weir-zookeeper-XXXXXX";
  directory_ = mkdtemp(pattern);
  std::ofstream(directory_ + "/zoo.cfg") << "tickTime=500\n"  // sessions of 1 to 10 s
                                         << "dataDir=" << directory_ << "/data\n"
                                         << "clientPort=" << port_ << "\nclientPortAddress=127.0.0.1\n"
                                         << "admin.enableServer=false\n4lw.commands.whitelist=srvr\n";
  start();
}

ZookeeperServer::~ZookeeperServer() {
  kill();
  std::filesystem::remove_all(directory_);
}

void ZookeeperServer::start() {
  const std::string config = directory_ + "/zoo.cfg";
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = open((directory_ + "/log").c_str(), O_CREAT | O_APPEND | O_WRONLY, 0644);
    dup2(log, 1);
    dup2(log, 2);
    execlp("java", "java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", kClassPath,
           "org.apache.zookeeper.server.ZooKeeperServerMain", config.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  INFO("needs the Debian packages zookeeper and default-jre-headless");
  REQUIRE(eventually([&] { return answers(); }));
}

bool ZookeeperServer::answers() const {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_);
  std::string reply(512, '\0');
  ssize_t size = 0;
  // "srvr" rather than "ruok", which is answered before sessions are.
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      write(connection, "srvr", 4) == 4)
    size = read(connection, reply.data(), reply.size());
  close(connection);
  return size > 0 && reply.starts_with("Zookeeper version");
}

void ZookeeperServer::kill() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

std::string ZookeeperServer::connect(const std::string& chroot) const {
  return "127.0.0.1:" + std::to_string(port_) + chroot;
}

}  // namespace test_support
