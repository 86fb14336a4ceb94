// Runs our merge stage once, alone or with the transaction that closes it; started by the benchmark.
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
    // A new commit each time, as a merge of changed layers is; two runs may fall into one second.
    createdEpoch: Date.now(),
    importerVersion: "bench",
  });
}
