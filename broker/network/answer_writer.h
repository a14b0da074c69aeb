// Puts answers on a non-blocking socket: memory by gathered sends, file ranges by sendfile.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/buffer.h"

namespace broker {

// Lives on its connection's loop. Thin: what to send next is the order of the pieces.
//
// Measured (see the file ranges' threshold): up to some 16 KiB a pread into the gathered send wins, from 64 KiB up the
// frame around the range goes out with MSG_MORE and the range by sendfile.
class AnswerWriter {
 public:
  enum class Outcome {
    drained,    // everything is with the kernel
    blocked,    // go on when the socket is writable
    turn_over,  // the peer reads as fast as we write: let the loop's other connections have their turn
    cold,       // bring cold_range() into the page cache, then call warmed() and write() again
    failed,     // see failure()
  };

  void push(base::BufferChain chain);
  Outcome write(int socket);

  // May the writer look whether a range is cached? Off where nobody would bring it in.
  void look_for_cold_ranges(bool on) { look_ = on; }
  base::FileSlice cold_range() const;
  void warmed();

  std::size_t unsent_bytes() const { return unsent_; }
  std::size_t take_sent_bytes() { return std::exchange(sent_, 0); }
  const std::string& failure() const { return failure_; }
  void clear();

 private:
  enum class Step { sent, blocked, cold, failed };

  Step send_memory(int socket);
  Step send_file(int socket);
  bool is_large(const base::FileSlice& range) const;
  bool is_warm(std::size_t index);
  bool load(std::size_t index, std::size_t bytes);
  void sent(std::size_t bytes);
  Step fail(std::string why);

  std::vector<base::BufferChain::Piece> pieces_;
  std::size_t head_ = 0;
  std::size_t unsent_ = 0;
  std::size_t sent_ = 0;
  std::size_t warm_bytes_ = 0;  // of the file range at the head
  bool head_started_ = false;   // part of the file range at the head has left by sendfile
  bool look_ = false;
  std::string failure_;
};

}  // namespace broker
