// The table of commands: one row a command, one file of the same name a function.
#include <array>

#include "cli/command.h"

namespace herd::cli {

Result<int> bench(Arguments arguments);
Result<int> chat(Arguments arguments);
Result<int> compare(Arguments arguments);
Result<int> convert(Arguments arguments);
Result<int> doctor(Arguments arguments);
Result<int> eval(Arguments arguments);
Result<int> export_weights(Arguments arguments);
Result<int> finetune(Arguments arguments);
Result<int> gen(Arguments arguments);
Result<int> generate(Arguments arguments);
Result<int> imatrix(Arguments arguments);
Result<int> inspect(Arguments arguments);
Result<int> keys(Arguments arguments);
Result<int> logits(Arguments arguments);
Result<int> perplexity(Arguments arguments);
Result<int> preprocess(Arguments arguments);
Result<int> quantize(Arguments arguments);
Result<int> render(Arguments arguments);
Result<int> shards(Arguments arguments);
Result<int> serve(Arguments arguments);
Result<int> synth(Arguments arguments);
Result<int> tokenize(Arguments arguments);
Result<int> train_tokenizer(Arguments arguments);
Result<int> train(Arguments arguments);

std::span<const Command> commands() {
  static constexpr std::array rows{
      Command{"chat", "a conversation in the terminal", chat},
      Command{"serve", "a model for many clients, over HTTP", serve},
      Command{"keys", "who may ask the server", keys},
      Command{"generate", "one answer to one prompt", generate},
      Command{"tokenize", "text to token ids and back", tokenize},
      Command{"render", "the prompt that a conversation becomes", render},
      Command{"logits", "the logits of every position of a prompt, into a .npy file", logits},
      Command{"preprocess", "the tiles a picture becomes, into a .npy file", preprocess},
      Command{"inspect", "what a checkpoint is: shape, parameters, memory, tensors", inspect},
      Command{"convert", "a model between Hugging Face's directories and GGUF files", convert},
      Command{"quantize", "a model as a GGUF file of fewer bits", quantize},
      Command{"imatrix", "how much each input of a model's matrices counts, for quantize", imatrix},
      Command{"perplexity", "how well a model predicts a text", perplexity},
      Command{"compare", "how far a model's predictions are from another's", compare},
      Command{"synth", "a checkpoint of true shape and random weights", synth},
      Command{"shards", "texts and conversations as tokenised files for a training", shards},
      Command{"train", "learn what a recipe says, from nothing or from a checkpoint", train},
      Command{"finetune", "teach a model conversations from a file, whole or by adapters",
              finetune},
      Command{"export", "a training's weights, or a model and its adapter, as a directory",
              export_weights},
      Command{"eval", "how much of the generated world a model masters", eval},
      Command{"gen", "samples of the generated world that cria learns", gen},
      Command{"train-tokenizer", "a tokenizer of Llama 4's kind from text", train_tokenizer},
      Command{"bench", "how fast a model is here, beside what the machine can do", bench},
      Command{"doctor", "what this machine can do, measured", doctor},
  };
  return rows;
}

}  // namespace herd::cli
