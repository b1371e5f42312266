#include "host/report/answers.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "host/report/changes.h"
#include "host/report/evaluation_part.h"
#include "host/report/figures.h"
#include "host/report/phrases.h"
#include "host/text/table.h"

namespace digitron {

namespace {

// LeCun, Bottou, Bengio and Haffner (1998), LeNet-5 on MNIST without distorted training images.
constexpr double kPublishedAccuracy = 0.9905;

std::optional<Statistics> accuracy_of(const RunGroup* group) {
  return group == nullptr ? std::nullopt : group->final_figure(&EpochRecord::test_accuracy);
}

// "0.07 points less than the 99.05% of LeCun et al. (1998)".
std::string published_text(double accuracy) {
  const double points = std::round(1e4 * (accuracy - kPublishedAccuracy)) / 100;
  const std::string published = percent(kPublishedAccuracy) + " of LeCun et al. (1998)";
  if (points == 0) return "the " + published;
  return fmt::format("{:.2f} points {} than the {}", std::abs(points), points < 0 ? "less" : "more",
                     published);
}

// ", which is 0.07 points less than ...", of LeNet-5 on MNIST alone.
std::string beside_published(const RunGroup& lenet5, double accuracy) {
  if (lenet5.runs[0]->text({"data", "is_mnist"}) != "yes") return "";
  return ", " + published_text(accuracy);
}

// ", with 19,374 parameters fewer", or "" where it is not known.
std::string fewer_parameters_text(const RunGroup& a, const RunGroup& b) {
  if (!a.runs[0]->plan || !b.runs[0]->plan) return "";
  const auto more = static_cast<int64_t>(b.runs[0]->plan->parameter_count) -
                    static_cast<int64_t>(a.runs[0]->plan->parameter_count);
  if (more == 0) return ", with as many parameters";
  return fmt::format(", with {} parameters {}", grouped(std::abs(more)),
                     more > 0 ? "fewer" : "more");
}

// What a test says of a against b, up to the colon.
std::string verdict_text(const RunGroup& a, const RunGroup& b, const Significance& test) {
  if (!test.p) return "";
  if (*test.p > kSignificant) {
    return fmt::format("{} and {} cannot be told apart: ", a.label, b.label);
  }
  const bool better = accuracy_of(&a)->mean > accuracy_of(&b)->mean;
  return fmt::format("{} is {} than {}: ", a.label, better ? "better" : "worse", b.label);
}

// "epoch 10", or where they differ "epochs 3 and 10".
std::string after_epochs_text(const RunGroup& a, const RunGroup& b) {
  if (a.last_epoch == b.last_epoch) return "";
  return fmt::format(", after {} and {}", counted(static_cast<size_t>(*a.last_epoch), "epoch"),
                     *b.last_epoch);
}

struct Tested {
  Metric loss, accuracy;
  const char* name;
};

// What there is after every epoch: figures of the validation set of runs that have one, or of the
// test set.
Tested tested_metrics(const RunGroup& group) {
  if (group.at_epoch(1, &EpochRecord::validation_loss)) {
    return {&EpochRecord::validation_loss, &EpochRecord::validation_accuracy, "validation"};
  }
  return {&EpochRecord::test_loss, &EpochRecord::test_accuracy, "test"};
}

// "falls from 0.0837 to 0.0303", "stays at 100.00%": as the texts of the figures say.
std::string movement(const Statistics& from, const Statistics& to,
                     std::string (*text_of)(const std::optional<Statistics>&)) {
  const std::string first = text_of(from), last = text_of(to);
  if (first == last) return "stays at " + last;
  return fmt::format("{} from {} to {}", to.mean < from.mean ? "falls" : "rises", first, last);
}

int epoch_of_lowest(const RunGroup& group, Metric metric) {
  int lowest = 1;
  for (int epoch = 2; epoch <= group.epoch_count(); ++epoch) {
    const auto value = group.at_epoch(epoch, metric);
    const auto least = group.at_epoch(lowest, metric);
    if (value && (!least || value->mean < least->mean)) lowest = epoch;
  }
  return lowest;
}

// "LeNet-5's test loss falls from 0.0837 to 0.0303, lowest after epoch 8, and its accuracy rises
// from 97.41% to 99.02%".
std::string development_text(const RunGroup& group) {
  const int last = group.epoch_count();
  if (last == 0) return group.label + " has no epoch on record";
  const Tested tested = tested_metrics(group);
  const auto first_loss = group.at_epoch(1, tested.loss),
             last_loss = group.at_epoch(last, tested.loss);
  const auto first_accuracy = group.at_epoch(1, tested.accuracy),
             last_accuracy = group.at_epoch(last, tested.accuracy);
  if (!last_loss || !last_accuracy) {
    return fmt::format("{} has no {} figures of epoch {}", group.label, tested.name, last);
  }
  if (last == 1 || !first_loss || !first_accuracy) {
    return fmt::format("{}'s {} loss is {} after epoch {}, and its accuracy {}", group.label,
                       tested.name, loss_text(last_loss), last, percent_text(last_accuracy));
  }
  const int lowest = epoch_of_lowest(group, tested.loss);
  return fmt::format("{}'s {} loss {} in {} epochs{}, and its accuracy {}", group.label,
                     tested.name, movement(*first_loss, *last_loss, loss_text), last,
                     lowest == last ? "" : fmt::format(", lowest after epoch {}", lowest),
                     movement(*first_accuracy, *last_accuracy, percent_text));
}

// The one with the highest mean of those that have been tested.
const RunGroup* best_of(const std::vector<const RunGroup*>& groups) {
  const RunGroup* best = nullptr;
  for (const RunGroup* group : groups) {
    if (!accuracy_of(group)) continue;
    if (best == nullptr || accuracy_of(group)->mean > accuracy_of(best)->mean) best = group;
  }
  return best;
}

// A name with a comma would be two in a list.
std::string quoted(const std::string& name) {
  return name.find(',') == std::string::npos ? name : "\u201c" + name + "\u201d";
}

// "LeNet-5 most often takes a 9 for a 4 (7 of 102 errors)"; nothing without a checkpoint or data.
std::optional<std::string> mistake_text(const RunGroup& group, DataSources& sources) {
  const RunRecord* run = run_to_evaluate(group);
  if (run == nullptr) return std::nullopt;
  const DataSources::TestSetOrReason test = sources.test_set(*run);
  if (std::holds_alternative<std::string>(test)) return std::nullopt;
  const Evaluation& evaluation =
      sources.evaluation(*run, std::get<std::shared_ptr<const Dataset>>(test));
  if (evaluation.wrong.empty()) return group.label + " makes no error";
  const Mistake worst = frequent_mistakes(evaluation.confusion, 1).front();
  return fmt::format("{} most often takes a {} for a {} ({} of {})", group.label,
                     class_text(run->plan->model.task, worst.truth),
                     class_text(run->plan->model.task, worst.guess), worst.count,
                     counted(evaluation.wrong.size(), "error"));
}

}  // namespace

std::string parameters_answer(std::span<const RunGroup> groups) {
  std::vector<std::string> counts;
  std::set<std::string> seen;
  for (const RunGroup& group : groups) {
    const RunRecord& run = *group.runs[0];
    if (!run.plan || !seen.insert(run.model_name).second) continue;
    const std::string count = grouped(static_cast<int64_t>(run.plan->parameter_count));
    counts.push_back(run.model_name +
                     (counts.empty() ? " has " + count + " parameters" : ' ' + count));
  }
  if (counts.empty()) return "The layers of no network here are known.";
  return listed(counts) + ".";
}

std::string curves_answer(std::span<const RunGroup> groups) {
  std::string text;
  for (const RunGroup& group : groups) {
    text += (text.empty() ? "" : "; ") + development_text(group);
  }
  return text + ".";
}

std::string accuracy_answer(const Roles& roles) {
  const RunGroup* lenet5 = roles.lenet5;
  if (lenet5 == nullptr) return "No run here is of LeNet-5 (--model lenet5).";
  const auto accuracy = accuracy_of(lenet5);
  if (!accuracy) return lenet5->label + " has no test figures.";
  const std::string published = beside_published(*lenet5, accuracy->mean);
  if (!accuracy_of(roles.mlp)) {
    return fmt::format(
        "{} recognises {} of the test images ({}){}; there is no tested run of the "
        "MLP to compare it with.",
        lenet5->label, percent(accuracy->mean),
        lenet5->complete.size() == 1 ? "one seed: no spread"
                                     : "mean of " + counted(lenet5->complete.size(), "seed"),
        published);
  }
  Significance test = roles.of(*roles.mlp);
  return fmt::format(
      "{}{}{}{} ({}); LeNet-5's accuracy is {}{}.", verdict_text(*lenet5, *roles.mlp, test),
      errors_sentence(test.p ? "it" : lenet5->label, *lenet5, *roles.mlp),
      fewer_parameters_text(*lenet5, *roles.mlp), after_epochs_text(*lenet5, *roles.mlp),
      evidence_text(*lenet5, *roles.mlp, test), percent(accuracy->mean), published);
}

std::string regularisation_answer(const Roles& roles) {
  const RunGroup* best = best_of(roles.variants);
  if (!accuracy_of(roles.lenet5)) return "There is no tested run of LeNet-5 to compare with.";
  if (best == nullptr) return "No run here is of LeNet-5 with other regularisation or settings.";
  const RunGroup& lenet5 = *roles.lenet5;
  const Significance test = roles.of(*best);
  const double gain = accuracy_of(best)->mean - accuracy_of(&lenet5)->mean;
  const std::string name =
      fmt::format("{} ({})", best->label, changes_text(*lenet5.runs[0], *best->runs[0]));
  std::string verdict = "Not tested: ";
  if (test.p) verdict = *test.p > kSignificant ? "Not shown: " : gain > 0 ? "Yes: " : "No: ";
  return fmt::format("{}{}{}{} ({}).", verdict, errors_sentence(name, *best, lenet5),
                     after_epochs_text(*best, lenet5),
                     roles.variants.size() > 1
                         ? fmt::format(", the best of {} variants", roles.variants.size())
                         : "",
                     evidence_text(*best, lenet5, test));
}

std::string mistakes_answer(std::span<const RunGroup> groups, DataSources& sources) {
  std::vector<std::string> texts;
  for (const RunGroup& group : groups) {
    if (const auto text = mistake_text(group, sources)) texts.push_back(*text);
  }
  return texts.empty() ? "There is no checkpoint with its test set to evaluate."
                       : listed(texts) + ".";
}

std::string sweep_answer(const SweepRecord& sweep) {
  std::vector<std::string> better, undecided, worse;
  const SweepRow* reference = sweep.reference();
  for (const SweepRow* row : sweep.by_mean()) {
    if (reference == nullptr || row == reference) continue;
    const std::optional<double> p = row->significance.p;
    if (!p || *p > kSignificant) {
      undecided.push_back(quoted(row->name));
    } else {
      const bool is_better = row->accuracy->mean > reference->accuracy->mean;
      (is_better ? better : worse).push_back(quoted(row->name));
    }
  }
  if (better.size() + undecided.size() + worse.size() == 0) {
    return "The sweep has nothing that could be compared.";
  }
  std::vector<std::string> parts;
  const auto add = [&](const std::vector<std::string>& names, const char* what) {
    if (!names.empty()) parts.push_back(fmt::format("{}: {}", what, listed(names)));
  };
  add(better, "better by more than chance");
  add(undecided, "not shown to help");
  add(worse, "worse by more than chance");
  const size_t seeds = reference->accuracy->count;
  std::string text =
      fmt::format("Against {} ({}, {})", reference->name, percent(reference->accuracy->mean),
                  seeds == 1 ? "one seed: no spread, no test" : counted(seeds, "seed"));
  for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? ", " : "; ") + parts[i];
  return text + ".";
}

}  // namespace digitron
