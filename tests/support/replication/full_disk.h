// A disk under SQLite that can be filled up: what lies within a file's length can be written over, nothing can grow.
#pragma once

#include <string>

namespace test_support {

// For every database opened while it lives.
class FullDisk {
 public:
  FullDisk();
  ~FullDisk();
  FullDisk(const FullDisk&) = delete;

  void fill();
  void empty();
};

}  // namespace test_support
