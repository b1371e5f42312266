#include "cuda/program_source.h"

#include <cstdio>

namespace digitron {

namespace {

std::string source(bool value) {
  return value ? "true" : "false";
}

std::string source(int value) {
  return std::to_string(value);
}

std::string source(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%af", double{value});  // in hexadecimal: every bit
  return text;
}

std::string source(OpKind kind) {
  return "OpKind(" + std::to_string(static_cast<int>(kind)) + ")";
}

std::string source(const Divisor& divisor) {
  return "Divisor(" + std::to_string(divisor.value) + ")";
}

std::string source(const Image& image);
std::string source(const Slices& slices);
std::string source(const Tiling& tiling);

// All of a structure's members, in their order.
template <class... Members>
std::string structure(const Members&... members) {
  std::string text;
  ((text += (text.empty() ? "{" : ", ") + source(members)), ...);
  return text + "}";
}

std::string source(const Image& i) {
  return structure(i.offset, i.row, i.plane, i.top, i.left, i.by_plane, i.by_row);
}

std::string source(const Slices& s) {
  return structure(s.offset, s.slices, s.slice, s.row, s.plane, s.by_slices);
}

std::string source(const Tiling& t) {
  return structure(t.width, t.count, t.by_count);
}

std::string source(const SampleOp& op) {
  return structure(op.kind, op.relu, op.split, op.exchange_dz, op.own_dz, op.backward,
                   op.input_grad, op.channels, op.height, op.width, op.out_channels, op.out_height,
                   op.out_width, op.kernel, op.pad, op.z_height, op.z_width, op.window, op.stride,
                   op.weight, op.bias, op.dropout, op.gain, op.dropout_layer, op.record_x,
                   op.record_d, op.record_w, op.record_b, op.weights, op.codes, op.statistics,
                   op.running_mean, op.running_variance, op.cross_x, op.cross_d, op.cross_moments,
                   op.y, op.dz, op.z, op.dy, op.dw, op.forward, op.input, op.weight_tiles,
                   op.by_channels, op.by_plane, op.by_width, op.by_out_plane, op.by_out_width,
                   op.by_z_height, op.by_border, op.by_window, op.by_quads);
}

}  // namespace

std::string program_source(const SampleProgram& program) {
  std::string ops;
  for (int i = 0; i < program.count; ++i) {
    ops += (i == 0 ? "{\n" : ",\n") + source(program.ops[i]);
  }
  return "{" + source(program.count) + ", " + source(program.samples) + ", " +
         source(program.record_floats) + ", " + source(program.cross_floats) + ", " +
         source(program.sample_floats) + ", " + source(program.shared_floats) + ", " +
         source(program.image) + ", " + ops + "}}";
}

}  // namespace digitron
