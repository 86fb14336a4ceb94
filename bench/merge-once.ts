// Runs our merge stage once, with or without its closing transaction; the benchmark starts this program.
import { commitImage } from "../src/pull/merge/commit.ts";
import { mergeLayers } from "../src/pull/merge/merge.ts";
import { createContext } from "../src/system/run.ts";

const [repo = "", stage = "", ...derived] = process.argv.slice(2);
const ctx = createContext();
const merged = await mergeLayers({ repo, derived });
if (stage === "commit") {
  await commitImage(ctx, {
    repo,
    derived,
    merged,
    reference: "docker://example.com/bench:merge",
    layers: derived.map((commit, i) => ({ digest: `sha256:${i}`, commit })),
    manifestDigest: "sha256:00",
    manifest: "{}",
    config: "{}",
    // Makes each commit a new one, like a merge of changed layers; two runs may share a second.
    createdEpoch: Date.now(),
    importerVersion: "bench",
  });
}
