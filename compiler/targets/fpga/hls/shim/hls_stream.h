// A queue between the stages of a dataflow, for simulation without a vendor's headers.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <deque>

namespace hls {
template <typename T> class stream {
public:
  explicit stream(const char *name = "") : name_(name) {}
  stream(const stream &) = delete;
  stream &operator=(const stream &) = delete;

  void write(const T &item) { items_.push_back(item); }
  bool empty() const { return items_.empty(); }
  T read() {
    if (items_.empty()) {
      std::fprintf(stderr, "stream '%s' is read while it is empty\n", name_);
      std::exit(3);
    }
    T item = items_.front();
    items_.pop_front();
    return item;
  }

private:
  const char *name_;
  std::deque<T> items_;
};
} // namespace hls
