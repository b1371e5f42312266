#include "host/cpu/stages/winograd_rows.h"

namespace digitron {

namespace {

constexpr int kOutputs = 4;  // of a tile

}  // namespace

WinogradRows::WinogradRows(const WinogradRequest& request, MemorySizes& sizes)
    : form_{request.conv.kernel, kOutputs},
      in_{request.in.channels, request.out.height + form_.taps - 1, request.in.width},
      out_(request.out),
      pools_(request.pools()),
      weights_(request.weights) {
  const size_t weights = size_t(form_.points()) * all_kernel_rows();
  u_ = MemorySizes::take(sizes.constants_floats, weights);
  work_ = MemorySizes::take(sizes.constants_floats,
                            winograd_rows_floats(form_, in_.channels, out_.channels, out_.width));
  du_ = MemorySizes::take(sizes.batch_partials, weights);
}

void WinogradRows::prepare(const StagePass& pass) const {
  pass.kernels.winograd_points(pass.memory.constants.get() + u_, pass.parameters + weights_, form_,
                               all_kernel_rows());
}

void WinogradRows::forward(const StagePass& pass, Tensor x, Tensor y, Winners winners,
                           const float* b, bool relu) const {
  float* own = pass.memory.constants.get();
  const float* u =
      own + u_ +
      std::ptrdiff_t{share(out_.channels, pass.part).first} * kernel_rows() * form_.points();
  const Tensor rows = rows_of(x, 0, in_.height);
  if (pools_) {
    pass.kernels.winograd_rows_pool_forward(y, winners, rows, u, b, form_, relu, own + work_);
  } else {
    pass.kernels.winograd_rows_forward(y, rows, u, b, form_, relu, own + work_);
  }
}

void WinogradRows::weight_gradients(const StagePass& pass, const Block& block, Tensor x, Tensor dy,
                                    Winners winners) const {
  float* du = block.batch->partials(du_, block.index) +
              std::ptrdiff_t{share(out_.channels, pass.part).first} * kernel_rows();
  float* work = pass.memory.constants.get() + work_;
  const Tensor rows = rows_of(x, 0, in_.height);
  if (pools_) {
    pass.kernels.winograd_rows_pool_weights(du, all_kernel_rows(), dy, winners, rows, form_, work);
  } else {
    pass.kernels.winograd_rows_weights(du, all_kernel_rows(), dy, rows, form_, work);
  }
}

void WinogradRows::gradients(const GradientPass& pass) const {
  update_kernel_rows(pass, form_, du_, weights_, all_kernel_rows());
}

int64_t WinogradRows::output_work() const {
  return int64_t{form_.points()} * form_.tiles(out_.width) * out_.height * kernel_rows();
}

}  // namespace digitron
