// Apache ZooKeeper from Debian's packages (zookeeper, default-jre-headless), as a process of this test.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace test_support {

// A server on a free port of the loopback, with its own data directory; gone with the object.
class ZookeeperServer {
 public:
  ZookeeperServer();
  ~ZookeeperServer();
  ZookeeperServer(const ZookeeperServer&) = delete;
  ZookeeperServer& operator=(const ZookeeperServer&) = delete;

  void start();  // waits until it answers; the same port and data every time
  void kill();   // SIGKILL

  std::string connect(const std::string& chroot = "") const;

 private:
  bool answers() const;

  std::string directory_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

}  // namespace test_support
