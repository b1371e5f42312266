#include "host/cpu/cpu_engine.h"

#include <gmock/gmock.h>

#include <chrono>
#include <numeric>

#include "host/reference/reference_engine.h"
#include "tests/cpu_testing.h"
#include "tests/mnist_form.h"
#include "tests/models.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::gradients;
using ::testing::Gt;
using testing::is_near;
using ::testing::IsEmpty;
using testing::random_dataset;
using ::testing::SizeIs;
using testing::train_steps;

const char* const kOddModel =
    "conv 3x5 stride 2 pad 1, relu, maxpool 3 stride 2, conv 5x3, maxpool 2, relu, fc 19, fc 10";

const char* const kOddRegularised =
    "bn, conv 3x5 stride 2 pad 1, bn, relu, maxpool 2, dropout 0.25, conv 5x3, relu, bn, bn, "
    "avgpool 2, fc 19, relu, dropout 0.5, fc 10, dropout 0.1";

using Clock = std::chrono::steady_clock;

class CpuEngineTest : public testing::CpuKernelsTest {
 protected:
  // To train on 200 samples, which in batches of 48 leave a last one of 8.
  void prepare(Engine& engine) const {
    engine.load(train_, test_);
    engine.set_state(State::kParameters, initial_parameters(engine.plan(), 7));
    engine.configure({.optimizer = {.momentum = 0.9f, .weight_decay = 5e-4f}, .seed = 3});
  }

  static constexpr int kSteps = 5;  // of an epoch
  static constexpr float kRate = 0.02f;
  std::shared_ptr<const Dataset> train_ = random_dataset(200, 1);
  std::shared_ptr<const Dataset> test_ = random_dataset(77, 2);
};

// Everything a run leaves behind, for comparisons of bits.
struct Result {
  std::vector<float> parameters, momentum, buffers;
  std::vector<double> losses;
  std::vector<int64_t> correct;
  bool operator==(const Result&) const = default;
};

void append(Result& result, const std::vector<Metrics>& steps) {
  for (const Metrics& metrics : steps) {
    result.losses.push_back(metrics.loss_sum);
    result.correct.push_back(metrics.correct);
  }
}

Result result_of(const Engine& engine, const std::vector<Metrics>& steps) {
  Result result{engine.state(State::kParameters),
                engine.state(State::kMomentum),
                engine.state(State::kRunningStatistics),
                {},
                {}};
  append(result, steps);
  return result;
}

// Batches of one block, of several, and with a ragged last one; threads that have whole blocks,
// that share them in crews even and uneven, and that have nothing to do.
TEST_P(CpuEngineTest, AnyNumberOfThreadsGivesTheSameBits) {
  const std::vector<std::pair<int, std::vector<int>>> cases = {
      {16, {2, 8}}, {48, {1, 2, 5}}, {64, {3, 16}}, {100, {5}}};
  for (const Model& model : {lenet5(), custom_mlp(), parse_model(kOddModel), lenet5_improved(),
                             parse_model(kOddRegularised)})
    for (const auto& [batch, thread_counts] : cases) {
      const auto run = [&, size = batch](int threads) {
        CpuEngine engine(make_plan(model, size), threads, kernels_);
        prepare(engine);
        Result all = result_of(engine, train_steps(engine, 1, 0, (200 + size - 1) / size, kRate));
        append(all, {engine.evaluate(Split::kHeldOut)});
        return all;
      };
      const Result one = run(1);
      for (const int threads : thread_counts) {
        EXPECT_TRUE(run(threads) == one)
            << threads << " threads, batch " << batch << ", " << model.id;
      }
    }
}

TEST_P(CpuEngineTest, SlicesOfAnEpochEqualTheWhole) {
  const Plan plan = make_plan(lenet5_improved(), 48);
  CpuEngine whole(plan, 2, kernels_), sliced(plan, 2, kernels_);
  prepare(whole);
  prepare(sliced);
  const Result expected = result_of(whole, train_steps(whole, 1, 0, kSteps, kRate));
  std::vector<Metrics> steps = train_steps(sliced, 1, 0, 2, kRate);
  EXPECT_TRUE(train_steps(sliced, 1, 2, 2, kRate).empty());
  // What comes between does not matter: neither evaluation nor a fresh engine that goes on.
  sliced.evaluate(Split::kHeldOut);
  gradients(sliced, std::span(train_->images).first(48 * kImagePixels),
            std::span(train_->labels).first(48));
  CpuEngine resumed(plan, 1, kernels_);
  prepare(resumed);
  resumed.set_state(State::kRunningStatistics, sliced.state(State::kRunningStatistics));
  resumed.set_state(State::kParameters, sliced.state(State::kParameters));
  resumed.set_state(State::kMomentum, sliced.state(State::kMomentum));
  for (const Metrics& metrics : train_steps(resumed, 1, 2, kSteps, kRate)) steps.push_back(metrics);
  EXPECT_TRUE(result_of(resumed, steps) == expected);
}

// Over an epoch of 23 steps, the last one of 2 samples.
TEST_P(CpuEngineTest, LossesFollowTheReference) {
  for (const Model& model : {lenet5(), custom_mlp(), parse_model(kOddRegularised)}) {
    const Plan plan = make_plan(model, 9);
    CpuEngine engine(plan, 1, kernels_);
    ReferenceEngine<double> reference(plan);
    prepare(engine);
    prepare(reference);
    const std::vector<Metrics> steps = train_steps(engine, 1, 0, 23, kRate);
    const std::vector<Metrics> expected = train_steps(reference, 1, 0, 23, kRate);
    ASSERT_EQ(steps.size(), expected.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_EQ(steps[i].count, i < 22 ? 9 : 2);
      EXPECT_TRUE(std::abs(steps[i].loss() - expected[i].loss()) <= 2e-5 * expected[i].loss())
          << model.id << ", step " << i << ": " << steps[i].loss() - expected[i].loss();
      EXPECT_EQ(steps[i].correct, expected[i].correct) << model.id << ", step " << i;
    }
    EXPECT_TRUE(
        is_near(engine.state(State::kParameters), reference.state(State::kParameters), 1e-5))
        << model.id;
    EXPECT_TRUE(is_near(engine.state(State::kMomentum), reference.state(State::kMomentum), 1e-4))
        << model.id;
    EXPECT_TRUE(is_near(engine.state(State::kRunningStatistics),
                        reference.state(State::kRunningStatistics), 1e-5))
        << model.id;
    EXPECT_TRUE(std::abs(engine.evaluate(Split::kHeldOut).loss() -
                         reference.evaluate(Split::kHeldOut).loss()) <= 1e-4)
        << model.id;
  }
}

// A second epoch draws other masks, and steps count on.
TEST_P(CpuEngineTest, DropoutFollowsTheReferenceOverEpochs) {
  const Plan plan = make_plan(parse_model("fc 30, relu, dropout 0.5, fc 10"), 48);
  CpuEngine engine(plan, 2, kernels_);
  ReferenceEngine<double> reference(plan);
  std::vector<double> losses;
  for (const int epoch : {1, 2, 5}) {
    prepare(engine);
    prepare(reference);
    for (Engine* each : std::initializer_list<Engine*>{&engine, &reference}) {
      each->set_state(State::kMomentum, std::vector<float>(plan.parameter_floats));
      Training training = each->training();
      training.seed = uint64_t{3} << 32;
      training.shuffle = false;
      each->configure(training);
    }
    losses.push_back(train_steps(engine, epoch, 3, kSteps, kRate).back().loss());
    const double expected = train_steps(reference, epoch, 3, kSteps, kRate).back().loss();
    EXPECT_TRUE(std::abs(losses.back() - expected) <= 2e-5 * expected) << epoch;
  }
  EXPECT_NE(losses[0], losses[1]);
  EXPECT_NE(losses[1], losses[2]);
}

TEST_P(CpuEngineTest, BatchesWithoutVarianceAreRefused) {
  const Plan plan = make_plan(parse_model("conv 10x28, bn"), 3);
  CpuEngine engine(plan, 1, kernels_);
  engine.load(random_dataset(7, 1), test_);
  EXPECT_THROW(train_steps(engine, 1, 0, 2, kRate), InputError);
  EXPECT_THROW(gradients(engine, std::span(test_->images).first(kImagePixels),
                         std::span(test_->labels).first(1)),
               InputError);
  engine.load(random_dataset(8, 1), test_);
  EXPECT_EQ(train_steps(engine, 1, 0, 3, kRate).back().count, 2);
  EXPECT_EQ(engine.predict(std::span(test_->images).first(kImagePixels)).size(), 10u);
}

// Linear layers take a batch in strips of kStripBlocks blocks, and update at the last one.
TEST_P(CpuEngineTest, LargeBatchesFollowTheReference) {
  for (const char* text : {"fc 33, relu, fc 10", "conv 2x5 stride 3, fc 21, fc 10"}) {
    const Plan plan = make_plan(parse_model(text), 300);
    CpuEngine engine(plan, 2, kernels_);
    ReferenceEngine<double> reference(plan);
    for (Engine* each : std::initializer_list<Engine*>{&engine, &reference}) {
      prepare(*each);
      each->load(random_dataset(590, 4), test_);
      train_steps(*each, 1, 0, 2, kRate);
    }
    EXPECT_TRUE(
        is_near(engine.state(State::kParameters), reference.state(State::kParameters), 1e-5))
        << text;
    EXPECT_TRUE(is_near(engine.state(State::kMomentum), reference.state(State::kMomentum), 1e-4))
        << text;
  }
}

TEST_P(CpuEngineTest, WithoutShuffleTakesTheFilesOrder) {
  CpuEngine engine(make_plan(custom_mlp(), 48), 1, kernels_);
  prepare(engine);
  engine.configure({.optimizer = {.momentum = 0}, .seed = 3, .shuffle = false});
  ReferenceEngine<double> reference(engine.plan());
  reference.set_state(State::kParameters, engine.state(State::kParameters));
  const std::vector<Metrics> steps = train_steps(engine, 4, 0, kSteps, 0);
  const Metrics last =
      reference.compute_gradients(std::span(train_->images).subspan(192 * kImagePixels),
                                  std::span(train_->labels).subspan(192));
  EXPECT_EQ(steps.back().count, 8);
  EXPECT_EQ(steps.back().correct, last.correct);
  EXPECT_TRUE(std::abs(steps.back().loss() - last.loss()) <= 1e-6 * last.loss());
}

TEST_P(CpuEngineTest, TimesEachStepAndAnEvaluation) {
  CpuEngine engine(make_plan(parse_model("fc 10"), 48), 2, kernels_);
  prepare(engine);
  EXPECT_THAT(engine.timing().seconds, IsEmpty());
  const auto begin = std::chrono::steady_clock::now();
  train_steps(engine, 1, 0, kSteps);
  const std::chrono::duration<double> around = std::chrono::steady_clock::now() - begin;
  const std::vector<double> seconds = engine.timing().seconds;
  EXPECT_THAT(seconds, AllOf(SizeIs(kSteps), Each(Gt(0))));
  EXPECT_LE(std::accumulate(seconds.begin(), seconds.end(), 0.0), around.count());
  engine.evaluate(Split::kHeldOut);
  EXPECT_THAT(engine.timing().seconds, ElementsAre(Gt(0)));
}

TEST_P(CpuEngineTest, OverfitsOneBatch) {
  for (const Model& model : {lenet5(), custom_mlp()}) {
    CpuEngine engine(make_plan(model, 32), 1, kernels_);
    engine.load(random_dataset(32, 8), test_);
    engine.set_state(State::kParameters, initial_parameters(engine.plan(), 1));
    engine.configure({});
    double loss = INFINITY;
    for (int epoch = 1; epoch <= 300 && !(loss < 0.01); ++epoch) {
      loss = train_steps(engine, epoch, 0, 1, kRate).front().loss();
    }
    EXPECT_TRUE(loss < 0.01) << model.id << ": " << loss;
    EXPECT_EQ(engine.evaluate(Split::kTrain).correct, 32) << model.id;
  }
}

TEST_P(CpuEngineTest, EvaluateCountsEverySample) {
  const Plan plan = make_plan(lenet5(), 48);
  CpuEngine engine(plan, 2, kernels_);
  ReferenceEngine<double> reference(plan);
  for (const int count : {1, 15, 16, 17, 47, 77}) {
    const auto data = random_dataset(count, uint32_t(count));
    for (Engine* each : std::initializer_list<Engine*>{&engine, &reference}) {
      prepare(*each);
      each->load(train_, data);
    }
    const Metrics expected = reference.evaluate(Split::kHeldOut);
    const Metrics metrics = engine.evaluate(Split::kHeldOut);
    EXPECT_EQ(metrics.count, count);
    EXPECT_EQ(metrics.correct, expected.correct) << count;
    EXPECT_TRUE(std::abs(metrics.loss_sum - expected.loss_sum) <= 1e-6 * expected.loss_sum);
  }
  EXPECT_EQ(engine.evaluate(Split::kTrain).count, 200);
  EXPECT_EQ(engine.state(State::kParameters), initial_parameters(plan, 7));
}

TEST_P(CpuEngineTest, PredictIsTheForwardPass) {
  for (const Model& model :
       {lenet5(), custom_mlp(), parse_model(kOddModel), parse_model(kOddRegularised)}) {
    const Plan plan = make_plan(model, 4);  // predict takes more than a batch
    CpuEngine engine(plan, 2, kernels_);
    ReferenceEngine<double> reference(plan);
    prepare(engine);
    prepare(reference);
    for (const size_t count : {0, 1, 16, 77}) {
      const auto images = std::span(test_->images).first(count * kImagePixels);
      const std::vector<float> logits = engine.predict(images);
      EXPECT_EQ(logits.size(), count * kClasses);
      EXPECT_TRUE(is_near(logits, reference.predict(images), 1e-6)) << model.id;
    }
    EXPECT_EQ(engine.state(State::kParameters), initial_parameters(plan, 7));
  }
}

// A span may begin anywhere. (Training reads its images through the same gather.)
TEST_P(CpuEngineTest, ImagesAtOddAddresses) {
  for (const Model& model : {lenet5(), custom_mlp()}) {
    CpuEngine engine(make_plan(model, 48), 1, kernels_);
    prepare(engine);
    std::vector<uint8_t> moved(1);
    moved.insert(moved.end(), train_->images.begin(), train_->images.end());
    const auto even = std::span(train_->images).first(48 * kImagePixels);
    const auto odd = std::span(moved).subspan(1, 48 * kImagePixels);
    EXPECT_EQ(engine.predict(odd), engine.predict(even));
  }
}

TEST_P(CpuEngineTest, ParametersAndMomentumComeBackAsSet) {
  CpuEngine engine(make_plan(lenet5(), 48), 2, kernels_);
  EXPECT_EQ(engine.state(State::kMomentum), std::vector<float>(engine.plan().parameter_floats));
  const std::vector<float> a = initial_parameters(engine.plan(), 1);
  const std::vector<float> b = initial_parameters(engine.plan(), 2);
  engine.set_state(State::kParameters, a);
  engine.set_state(State::kMomentum, b);
  EXPECT_EQ(engine.state(State::kParameters), a);
  EXPECT_EQ(engine.state(State::kMomentum), b);
}

TEST_P(CpuEngineTest, GapsStayZero) {
  for (const Model& model :
       {lenet5(), custom_mlp(), parse_model(kOddModel), parse_model(kOddRegularised)}) {
    CpuEngine engine(make_plan(model, 48), 3, kernels_);
    prepare(engine);
    train_steps(engine, 1, 0, kSteps, kRate);
    const auto labels = std::span(train_->labels).first(48);
    for (std::vector<float> flat :
         {engine.state(State::kParameters), engine.state(State::kMomentum),
          gradients(engine, std::span(train_->images).first(48 * kImagePixels), labels)}) {
      for (const Parameter& p : engine.plan().parameters) {
        std::fill_n(flat.begin() + std::ptrdiff_t(p.offset), p.count, 0.0f);
      }
      EXPECT_EQ(flat, std::vector<float>(flat.size())) << model.id;
    }
  }
}

// A diverged run must show in the loss, wherever it began.
TEST_P(CpuEngineTest, NanInAnyTensorReachesTheLoss) {
  for (const Model& model : {lenet5(), custom_mlp(), lenet5_improved()}) {
    CpuEngine engine(make_plan(model, 48), 1, kernels_);
    prepare(engine);
    for (const Parameter& p : engine.plan().parameters) {
      std::vector<float> parameters = initial_parameters(engine.plan(), 1);
      parameters[p.offset + p.count / 2] = NAN;
      engine.set_state(State::kParameters, parameters);
      EXPECT_TRUE(std::isnan(train_steps(engine, 1, 0, 1, kRate).front().loss())) << p.name;
      engine.set_state(State::kParameters, parameters);
      EXPECT_TRUE(std::isnan(engine.evaluate(Split::kHeldOut).loss())) << p.name;
    }
  }
}

// Trains for as long as it takes to try other numbers, and then as many epochs on one thread.
TEST_P(CpuEngineTest, ANumberOfThreadsThatChangesGivesTheSameBits) {
  CpuEngine changing(make_plan(parse_model("fc 10"), 48), UsableCores{4, 4, {}}, kernels_);
  CpuEngine one(make_plan(parse_model("fc 10"), 48), 1, kernels_);
  prepare(changing);
  prepare(one);
  int epochs = 0;
  for (const auto start = Clock::now(); Clock::now() - start < std::chrono::milliseconds(60);) {
    train_steps(changing, ++epochs, 0, kSteps, kRate);
  }
  for (int epoch = 1; epoch <= epochs; ++epoch) train_steps(one, epoch, 0, kSteps, kRate);
  EXPECT_TRUE(result_of(changing, {}) == result_of(one, {})) << epochs << " epochs";
  EXPECT_EQ(changing.evaluate(Split::kHeldOut).loss_sum, one.evaluate(Split::kHeldOut).loss_sum);
}

TEST_P(CpuEngineTest, DescriptionSaysWhatRuns) {
  const Plan plan = make_plan(custom_mlp(), 8);
  EXPECT_EQ(CpuEngine(plan, 1, kernels_).description(),
            std::string("CPU, ") + kernels_.name + ", 1 thread");
  EXPECT_EQ(CpuEngine(plan, 3, kernels_).description(),
            std::string("CPU, ") + kernels_.name + ", 3 threads");
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuEngineTest,
                         ::testing::ValuesIn(runnable_cpu_kernels()), testing::instruction_set);

TEST(MakeCpuEngine, TakesTheFastestKernels) {
  const auto engine = make_cpu_engine(make_plan(custom_mlp(), 8), 2);
  EXPECT_EQ(engine->description(),
            std::string("CPU, ") + runnable_cpu_kernels().front()->name + ", 2 threads");
  EXPECT_NE(make_cpu_engine(make_plan(custom_mlp(), 8), 0), nullptr);
}

TEST(CpuDevices, SayWhichKernelsRun) {
  const std::vector<DeviceReport> devices = cpu_devices();
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_TRUE(devices[0].available);
  EXPECT_EQ(devices[0].name, "cpu");
  for (const CpuKernels* kernels : runnable_cpu_kernels()) {
    EXPECT_THAT(devices[0].description, ::testing::HasSubstr(kernels->name));
  }
}

}  // namespace
}  // namespace digitron
