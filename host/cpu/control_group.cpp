#include "host/cpu/control_group.h"

#include <fstream>
#include <sstream>

namespace digitron {

namespace {

bool names(const std::string& controllers, const std::string& controller) {
  std::istringstream words(controllers);
  for (std::string word; std::getline(words, word, ',');) {
    if (word == controller) return true;
  }
  return false;
}

}  // namespace

std::string read_system_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

void visit_control_groups(const ReadFile& read, const std::string& controller,
                          const std::function<void(const std::string&, bool)>& visit) {
  std::istringstream groups(read("/proc/self/cgroup"));
  // A line is NUMBER:CONTROLLERS:GROUP, where v2 has number 0 and no controllers.
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && !names(controllers, controller)) continue;
    const std::string mount = "/sys/fs/cgroup" + (controllers.empty() ? "" : '/' + controllers);
    // A container may see its own group as the mount's root, by whatever name the line has.
    for (std::string group = line.substr(second + 1);; group.resize(group.rfind('/'))) {
      visit(mount + group, controllers.empty());
      if (group.find('/') == std::string::npos) break;
    }
  }
}

}  // namespace digitron
