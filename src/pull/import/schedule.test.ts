import { createHash } from "node:crypto";
import { lstat, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import type { LayerKind } from "../../image/layer-kinds.ts";
import { PENDING_PREFIX } from "../../ostree/ref-names.ts";
import type { PullEvent } from "../../progress/progress.ts";
import { blobPath, openCache } from "../../repository/cache.ts";
import type { Context } from "../../system/context.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { createArrivals } from "./arrivals.ts";
import { decideSteps, importLayers } from "./schedule.ts";

const layer = (kind: LayerKind, digest: string) => ({
  kind,
  digest,
  diffId: digest,
  sizeBytes: 1,
  commit: undefined,
});

const commit = layer("commit", "commit");
const chunk1 = layer("chunk", "chunk1");
const chunk2 = layer("chunk", "chunk2");
const top1 = layer("derived", "top1");
const top2 = layer("derived", "top2");

test.each([
  {
    what: "the commit comes after its chunks, derived layers after the settings that the base gives",
    missing: [commit, chunk1, chunk2, top1, top2],
    steps: {
      commit: ["chunk1", "chunk2"],
      chunk1: [],
      chunk2: [],
      top1: ["settings"],
      top2: ["settings"],
      settings: ["chunk1", "chunk2", "commit"],
    },
  },
  {
    what: "over a base that is there, derived layers wait for its settings alone",
    missing: [top1],
    steps: { top1: ["settings"], settings: [] },
  },
  {
    what: "where the commit is there, the settings wait for the missing chunk",
    missing: [chunk1, top1],
    steps: { chunk1: [], top1: ["settings"], settings: ["chunk1"] },
  },
  {
    what: "without derived layers no step reads the settings",
    missing: [commit, chunk1],
    steps: { commit: ["chunk1"], chunk1: [] },
  },
  { what: "nothing is missing", missing: [], steps: {} },
])("$what", ({ missing, steps }) => {
  const decided = decideSteps(missing);
  expect(Object.fromEntries(decided.map((it) => [it.name, it.after]))).toEqual(steps);
  expect(decided.flatMap((it) => it.layer ?? [])).toEqual(missing);
});

const EMPTY_TAR = Buffer.alloc(1024);
const VERSION = "libostree:\n Version: '2024.5'\n Features:\n  - initial-var\n";

/** Who moves a layer into the repository. A repository without `state` is one that only ostree writes to. */
const MOVERS = ["us", "ostree"] as const;

/** The import of one layer, an empty tar. `move` is called when it is about to be moved into the repository. */
async function makeBed(mover: (typeof MOVERS)[number], move: () => Promise<void>) {
  // Only root writes layers without ostree's help; a layer without files does not need root's rights.
  const getuid = vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(0);
  onTestFinished(() => getuid.mockRestore());
  const repo = await mkdtemp(join(tmpdir(), "schedule-"));
  onTestFinished(() => rm(repo, { recursive: true }));
  await mkdir(join(repo, "objects"));
  if (mover === "us") await mkdir(join(repo, "state"));
  await mkdir(join(repo, "refs/heads", PENDING_PREFIX), { recursive: true });
  await writeFile(join(repo, "config"), "[core]\nrepo_version=1\nmode=bare\n");
  const ctx: Context = {
    ...scriptedContext(repo, []).ctx,
    async read(_program, [verb]) {
      if (verb === "--version") return VERSION;
      expect([mover, verb]).toEqual(["ostree", "pull-local"]);
      await move();
      return "";
    },
    async run(program) {
      expect([mover, program]).toEqual(["us", "sync"]);
      await move();
    },
  };
  const digest = `sha256:${createHash("sha256").update(EMPTY_TAR).digest("hex")}`;
  const cache = await openCache(ctx, repo, []);
  const blob = blobPath(cache, digest);
  await writeFile(blob, EMPTY_TAR);
  const events: PullEvent[] = [];
  const image = { transport: "registry", name: "quay.io/example/os" } as const;
  const plan = {
    request: {
      repo,
      reference: { image, verification: { kind: "none" } },
      requiresBootable: false,
    },
    source: { image, access: {}, policyFile: "" },
    offered: { config: { architecture: "amd64", os: "linux", rootfs: { diff_ids: [digest] } } },
    layers: [{ ...layer("derived", digest), sizeBytes: EMPTY_TAR.length }],
  } as const;
  return {
    blob,
    events,
    digest,
    import: () =>
      importLayers(ctx, plan, {
        cache,
        arrivals: createArrivals([], ctx.signal),
        onEvent: (event) => void events.push(event),
      }),
  };
}

test.each(MOVERS)(
  "moved by %s, a layer's blob stays until the layer is on the disk",
  async (mover) => {
    const moving = Promise.withResolvers<void>();
    const moved = Promise.withResolvers<void>();
    const { blob, events, digest, ...bed } = await makeBed(mover, async () => {
      moving.resolve();
      await moved.promise;
    });
    const importing = bed.import();
    await moving.promise;
    await setImmediate();
    expect((await lstat(blob)).isFile()).toBe(true);
    expect(events).toEqual([]);
    moved.resolve();
    const { commits } = await importing;
    expect((await lstat(blob)).isSymbolicLink()).toBe(true);
    expect(events).toEqual([{ type: "layer", digest, state: "imported" }]);
    expect([...commits.keys()]).toEqual([digest]);
  },
);

test.each(MOVERS)(
  "the blob of a layer that %s could not move is there for the next run",
  async (mover) => {
    const { blob, events, ...bed } = await makeBed(mover, () =>
      Promise.reject(new Error("no power")),
    );
    await expect(bed.import()).rejects.toThrow("importing layer");
    expect((await lstat(blob)).isFile()).toBe(true);
    expect(events).toEqual([]);
  },
);

test("a blob that is not what it should be is gone for the next run", async () => {
  const { blob, ...bed } = await makeBed("us", () => Promise.resolve());
  await writeFile(blob, Buffer.alloc(EMPTY_TAR.length, 1));
  await expect(bed.import()).rejects.toThrow("importing layer");
  await expect(lstat(blob)).rejects.toThrow("ENOENT");
});
