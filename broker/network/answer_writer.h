// Puts answers on a non-blocking socket: memory by gathered sends, file ranges by sendfile.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/buffer.h"

namespace broker {

// Lives on its connection's loop. Thin: what to send next is the order of the pieces.
//
// Up to some 16 KiB a pread into the gathered send wins; from 64 KiB up the whole pages of a range go by sendfile, and
// what stands before and behind them with the frame around the range (measured: push_range).
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

  struct Warm {                        // a stretch of a file that may be read without waiting
    const base::File* file = nullptr;  // compared only
    std::uint64_t begin = 0, end = 0;
  };

  void push_range(base::FileSlice range);
  base::FileSlice run_at(std::size_t index) const;
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
  Warm warm_;
  bool head_started_ = false;  // part of the file range at the head has left by sendfile
  bool look_ = false;
  std::string failure_;
};

}  // namespace broker
