// How many threads take the steps of a training, found by trying: the machine's other work comes
// and goes, and what two cores exchange is now fast, now slow. The result of a step does not depend
// on their number.
#pragma once

#include <algorithm>
#include <deque>
#include <limits>
#include <span>
#include <vector>

namespace digitron {

// 1, 2, 4, ... and `most`.
std::vector<int> thread_counts(int most);

// Steps go on with the count that was fastest, in windows long enough to hold what a scheduler
// does. Now and then a neighbouring count is tried. A trial ends as soon as it is clearly slower,
// and the time it has lost is earned back seventyfold before the next: so where nothing changes,
// trials cost 1.5 % of the time.
class ThreadTuner {
 public:
  // counts: rising, one at least; the last is the first to be used.
  explicit ThreadTuner(std::vector<int> counts);

  // How many threads make the next steps, and how many steps at most until `took` tells of them.
  int threads() const { return counts_[trying_ ? tried_ : best_]; }
  size_t steps() const;

  // The seconds of each of the steps that threads() have made since the last call.
  void took(std::span<const double> seconds);

  // The count that has been the fastest so far.
  int fastest() const { return counts_[best_]; }
  bool is_most() const { return best_ + 1 == counts_.size(); }

 private:
  // Steps of one count. The first after a change finds cold caches and threads that sleep: it is
  // paid for, but not judged by.
  struct Window {
    bool settled = false;
    int steps = 0;
    double seconds = 0, least = std::numeric_limits<double>::infinity();
    double paid = 0, paid_steps = 0;

    void add(double step);
    bool full() const;
    double mean() const { return seconds / steps; }
  };

  double best_mean() const;
  void judge_best();
  void judge_trial();
  void begin_trial();

  std::vector<int> counts_;
  size_t best_, tried_ = 0;  // indices of counts_
  bool trying_ = false;
  int direction_ = -1;  // of the next trial: fewer or more
  Window window_;
  std::deque<double> recent_;  // means of the newest windows of the best
  double since_trial_ = 0;     // seconds
  double pause_ = 0;           // from the last trial to the next
  double mean_at_trial_ = std::numeric_limits<double>::infinity();
};

}  // namespace digitron
