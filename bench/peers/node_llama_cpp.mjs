// The official llama.cpp that the npm package node-llama-cpp carries, for peers.py.
// usage: node node_llama_cpp.mjs PACKAGE_DIRECTORY MODEL.gguf PROMPT_TOKENS ANSWER_TOKENS THREADS
// prints one line of JSON: tokens a second of each; 0 tokens leave a test out
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const [home, model, promptCount, answerCount, threads] = process.argv.slice(2);
const require = createRequire(pathToFileURL(join(home, "package.json")));
const { getLlama } = await import(pathToFileURL(require.resolve("node-llama-cpp")));
const count = { prompt: Number(promptCount), answer: Number(answerCount) };
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: Number(threads) });
const loaded = await llama.loadModel({ modelPath: model, useMmap: true });
const context = await loaded.createContext({
  contextSize: count.prompt + count.answer + 8,
  batchSize: 512,
  threads: { ideal: Number(threads), min: Number(threads) },
});
const sequence = context.getSequence();
const token = (i) => 300 + ((i * 7919) % 150000);
const perSecond = async (pieces) => {
  await sequence.clearHistory();
  const start = performance.now();
  for (const piece of pieces) await sequence.evaluateWithoutGeneratingNewTokens(piece);
  return (1000 * pieces.flat().length) / (performance.now() - start);
};
const out = {};
await perSecond([[token(0)]]);
if (count.prompt > 0) out.prompt = await perSecond([Array.from({ length: count.prompt }, (_, i) => token(i))]);
if (count.answer > 0) {
  // Sampled, not fed: tokens that are fed one by one get no logits, and reading the output matrix is much of the work.
  await sequence.clearHistory();
  let written = 0, start = 0;
  for await (const _ of sequence.evaluate([token(0)], { temperature: 0, yieldEogToken: true })) {
    if (written === 0) start = performance.now();
    if (++written > count.answer) break;
  }
  out.answer = (1000 * (written - 1)) / (performance.now() - start);
}
console.log(JSON.stringify(out));
process.exit(0);
