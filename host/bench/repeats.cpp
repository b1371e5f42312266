#include "host/bench/repeats.h"

#include "host/bench/row_processes.h"

namespace digitron {

std::vector<BenchRow> measure_rows(const BenchRequest& request,
                                   const std::vector<RowRequest>& wanted,
                                   const std::string& program, const std::atomic<bool>& stop,
                                   const BenchProgress& progress) {
  std::vector<BenchRow> rows;
  if (request.repeat == 1) {
    for (const RowRequest& row : wanted) {
      if (stop) return rows;
      progress(rows.size(), row);
      rows.push_back(measure_row(row, request.data, request.sampling, std::nullopt));
    }
    return rows;
  }
  std::vector<std::string> command = request.command;
  command.front() = program;
  RowProcesses processes(command, stop);
  for (int repeat = 0; repeat < request.repeat; ++repeat) {
    for (size_t i = 0; i < wanted.size(); ++i) {
      progress(static_cast<size_t>(repeat) * wanted.size() + i, wanted[i]);
      std::optional<BenchRow> measured = processes.measure(i, repeat > 0);
      if (!measured) return rows;
      if (repeat == 0) {
        rows.push_back(std::move(*measured));
      } else {
        rows[i].repeats.push_back(std::move(measured->repeats.front()));
      }
    }
  }
  return rows;
}

}  // namespace digitron
