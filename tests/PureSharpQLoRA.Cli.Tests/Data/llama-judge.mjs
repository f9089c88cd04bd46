// Generates greedily with llama.cpp, on the CPU and with a KV cache in fp32.
// node llama-judge.mjs NODE_MODULES, with jobs as a JSON array on standard input: [{model, lora?, prompt, count}].
// Prints a JSON array: [{prompt: [ids], ids: [ids], text} or {error}].
import {readFileSync} from "node:fs";
import path from "node:path";
import {pathToFileURL} from "node:url";

const {getLlama, LlamaLogLevel} = await import(pathToFileURL(path.join(process.argv[2], "node-llama-cpp/dist/index.js")));
// One thread: with more, llama.cpp waits actively, which takes minutes on a busy machine.
const llama = await getLlama({gpu: false, build: "never", progressLogs: false, logLevel: LlamaLogLevel.error, maxThreads: 1});
const models = new Map();
const results = [];
for (const job of JSON.parse(readFileSync(0, "utf8"))) {
    try {
        const model = models.get(job.model) ?? await llama.loadModel({modelPath: job.model, useMmap: false});
        models.set(job.model, model);
        if (job.count === 0) {
            results.push({prompt: tokenize(model, job.prompt), ids: []});
            continue;
        }

        const context = await model.createContext({
            contextSize: 256, batchSize: 256, flashAttention: false, lora: job.lora,
            experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32"
        });
        const prompt = tokenize(model, job.prompt);
        const ids = [];
        for await (const id of context.getSequence().evaluate(prompt, {temperature: 0})) {
            ids.push(id);
            if (ids.length === job.count)
                break;
        }

        results.push({prompt, ids, text: model.detokenize(ids)});
        await context.dispose();
    } catch (error) {
        results.push({error: String(error)});
    }
}

function tokenize(model, text) {
    const ids = [...model.tokenize(text, true)];
    return model.tokens.shouldPrependBosToken && model.tokens.bos != null ? [model.tokens.bos, ...ids] : ids;
}

console.log(JSON.stringify(results));
process.exit(0);
