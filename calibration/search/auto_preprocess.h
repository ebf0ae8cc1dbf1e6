// --preprocess auto: which preprocessing was a model trained with? Read choose_preprocess().
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibration/images/preprocess_choice.h"
#include "calibration/images/sample_source.h"
#include "core/engine/program.h"

namespace quantize {

/// Options of a guess: threads, engine, and labels if there are any.
struct GuessOptions {
  int threads = 1;
  CompileOptions engine;
  /// The right class of a sample, by its name; empty: there are no labels.
  std::function<std::optional<int64_t>(const std::string& sample)> label;
  /// load_tensors for a sample; needed for models with several inputs.
  std::function<std::vector<Tensor>(const Sample&)> tensors = {};
};

/// Chooses the preprocessing of a model's images: what the model's metadata keep, where we wrote them; else a
/// guess. The candidates are imagenet, tf, caffe, unit, raw, the numbers that the file itself names, and, for
/// inputs below 128x128, the mean and deviation of the images themselves. Each measurement says how well each
/// candidate fits; their sum decides:
///
///   - what the file says (read_clues);
///   - the statistics that the first BatchNormalizations learned;
///   - whether channels of convolutions die or stay positive;
///   - how well the outputs tell images apart by their classes, or how many confident boxes they hold;
///   - top-1 on labelled images, which outweighs all others.
///
/// For inputs of three channels the outputs then show the order of the colours, if it makes a difference of
/// two standard errors. A guess is sure if all of this holds: its numbers rest on the file or on a decisive
/// measurement that no other one contradicts; they are not the images' own; its colours show; the size of the
/// images is known. Where the candidates do not differ, `imagenet` is taken for three channels and `unit` for
/// one.
///
/// An input of integers gets the pixels as they are: the network itself normalizes them. That is sure where a mean
/// per channel shows the order of the colours. Where several inputs take
/// images, the guess is that of the first one of floats, and the others are preprocessed alike.
///
/// Geometry: text lines (an open width) keep their aspect ratio at the model's height; networks whose first
/// output has three axes get a letterbox, maps the whole image; inputs below 128x128 and images that have the
/// model's own size are stretched; classifiers get what the preset says. Where the model leaves its size
/// open, its metadata's size or 224x224 is assumed.
///
/// Measured are up to 32 images, fewer for large models, spread evenly over the whole list, before shards and
/// --samples cut it: each shard comes to the same result. Each is decoded once. `source` is the model as it
/// was read, `prepared` what open_model() made of it. Errors: those of image_input_of, resolve and
/// Engine::run; Error(kCalibration) if none of the images can be used; Error(kInterrupted).
PreprocessChoice choose_preprocess(const Graph& source, const Graph& prepared, const SampleList& list,
                                   const GuessOptions& options);

}  // namespace quantize
