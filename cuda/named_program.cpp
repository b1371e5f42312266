#include "cuda/named_program.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cuda/program_source.h"
#include "kernels/named_programs.h"

namespace digitron {

namespace {

using PartsAndSource = std::pair<int, std::string>;

template <class... Named>
std::vector<PartsAndSource> sources(ProgramList<Named...>) {
  return {{Named::kParts, program_source(Named::make())}...};
}

}  // namespace

int find_named_program(const SampleProgram& program, int parts) {
  static const std::vector<PartsAndSource> named = sources(NamedPrograms());
  const auto at =
      std::find(named.begin(), named.end(), PartsAndSource(parts, program_source(program)));
  return at == named.end() ? -1 : static_cast<int>(at - named.begin());
}

}  // namespace digitron
