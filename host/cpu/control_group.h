// The control groups that this process is in, whose limits containers and batch systems set: see
// the kernel's cgroup-v2.rst.
#pragma once

#include <functional>
#include <string>

namespace digitron {

// The text of a file of /proc or /sys; empty where it cannot be read.
using ReadFile = std::function<std::string(const std::string& path)>;
std::string read_system_file(const std::string& path);

std::string first_line(const std::string& text);

// Calls visit(folder, is_v2) for the folder of this process's group, and of each around it, in the
// hierarchy of version 2 and in that of version 1 with the controller ("cpu", "memory").
void visit_control_groups(const ReadFile& read, const std::string& controller,
                          const std::function<void(const std::string&, bool)>& visit);

}  // namespace digitron
