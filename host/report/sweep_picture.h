// A sweep as a picture.
#pragma once

#include <string>

#include "host/report/document.h"
#include "host/report/sweep_record.h"

namespace digitron {

// In gnuplot's language: the mean of each setting that has runs, the best above, as a point, with
// Student's 95 % interval of the mean as a bar where there are several runs. The reference has
// another colour, and a line at its mean.
std::string sweep_script(const SweepRecord& sweep);

// There is a setting with runs. Throws MachineError as run_gnuplot does.
Picture sweep_picture(const SweepRecord& sweep);

}  // namespace digitron
