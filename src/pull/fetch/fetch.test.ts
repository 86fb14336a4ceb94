import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { BootcError } from "../../errors.ts";
import type { OpenedImage } from "../../programs/skopeo/proxy.ts";
import { asTransient, type SkopeoSource } from "../../programs/skopeo/skopeo.ts";
import { type BlobCache, blobPath, type WantedBlob } from "../../repository/cache.ts";
import type { RunOptions } from "../../system/context.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { digestOf } from "../plan/inspect.ts";
import type { FetchLimits } from "../request.ts";
import { fetchImage } from "./fetch.ts";

/** Time is what a test says, and nobody waits for it: pauses are as long as it takes others to go on. */
vi.mock("node:timers/promises", async (original) => {
  const timers = await original<typeof import("node:timers/promises")>();
  const setTimeout: typeof timers.setTimeout = (ms, value, options) =>
    timers.setTimeout(Math.min(ms ?? 0, 5), value, options);
  return { ...timers, setTimeout };
});

const LAYER = { digest: `sha256:${"a".repeat(64)}`, sizeBytes: 5000 };
const COPY =
  "+ skopeo --policy=/policy.json copy --quiet --preserve-digests --remove-signatures " +
  "--dest-oci-accept-uncompressed-layers --dest-shared-blob-dir=ROOT/blobs " +
  "docker://quay.io/example/os oci:ROOT/layout:image";
const SOURCE: SkopeoSource = {
  image: { transport: "registry", name: "quay.io/example/os" },
  access: {},
  policyFile: "/policy.json",
};
const LIMITS = { stallMs: 60_000, giveUpMs: 1500, attemptsMax: 8 };

type Run = (how: RunOptions) => void | Promise<void>;

interface Options {
  readonly limits?: Partial<FetchLimits>;
  readonly source?: SkopeoSource;
  readonly copy?: string;
  readonly wanted?: readonly WantedBlob[];
  readonly opened?: OpenedImage;
}

/** A fetch of one layer that may go 1.5 s without a byte, by a clock that only `arrive` and `pass` move. */
async function makeBed() {
  vi.useFakeTimers({ toFake: ["Date"], now: 0 });
  onTestFinished(() => void vi.useRealTimers());
  const root = await mkdtemp(join(tmpdir(), "fetch-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const dirs = { blobDir: join(root, "blobs"), layoutDir: join(root, "layout") };
  await mkdir(join(dirs.blobDir, "sha256"), { recursive: true });
  await mkdir(dirs.layoutDir);
  const cache: BlobCache = { ...dirs, documents: new Set() };
  const seen = new Map<number, () => void>();
  const events: string[] = [];
  const pass = () => void vi.setSystemTime(Date.now() + 1000);
  return {
    cache,
    pass,
    /** Has that much of the layer arrived, and the fetch notice it; then a second passes. */
    async arrive(bytes: number) {
      const { promise, resolve } = Promise.withResolvers<void>();
      seen.set(bytes, resolve);
      await writeFile(join(cache.layoutDir, "oci-put-blob1"), Buffer.alloc(bytes));
      await promise;
      pass();
    },
    /** Has the layer arrived as a whole. */
    complete: () => writeFile(blobPath(cache, LAYER.digest), Buffer.alloc(LAYER.sizeBytes)),
    /** The layout is as skopeo leaves it at the end; the layer may be there. */
    async writeManifest(manifest: string, name = digestOf(manifest)) {
      await writeFile(blobPath(cache, name), manifest);
      const index = JSON.stringify({ manifests: [{ digest: name }] });
      await writeFile(join(cache.layoutDir, "index.json"), index);
    },
    /** What happened, besides bytes, in the fetch that was begun last. */
    events: () => events,
    /** Fetches by these runs of skopeo, of which none may be left over. */
    async fetch(
      runs: readonly Run[],
      { limits = {}, source = SOURCE, copy = COPY, wanted = [LAYER], opened }: Options = {},
    ) {
      events.splice(0);
      const isRemote = source.image.transport === "registry";
      const version: ScriptLine = ["? skopeo --version", "skopeo version 1.9.3\n"];
      const copies = runs.map((run): ScriptLine => [copy, run]);
      const script = isRemote && copies.length > 0 ? [version, ...copies] : copies;
      const { ctx, requireAllUsed } = scriptedContext(root, script);
      try {
        return await fetchImage(ctx, source, {
          cache,
          wanted,
          opened,
          limits: { ...LIMITS, ...limits },
          onStart: () => void events.push("start"),
          onComplete: () => void events.push("complete"),
          onEvent(event) {
            if (event.type === "fetched-bytes") seen.get(event.bytes)?.();
            else if (event.type === "retry") events.push(`retry: ${event.reason}`);
          },
        });
      } finally {
        requireAllUsed();
      }
    },
  };
}

const fail = () => {
  throw asTransient(new BootcError("it broke", { kind: "network" }));
};

test("bytes put off giving up, also where an attempt brings fewer than the one before", async () => {
  const { complete, writeManifest, arrive, fetch } = await makeBed();
  const manifest = "{}";
  const finish = () => complete().then(() => writeManifest(manifest));
  const fetched = fetch([
    () => arrive(1000).then(fail),
    () =>
      arrive(300)
        .then(() => arrive(600))
        .then(fail),
    finish,
  ]);
  await expect(fetched).resolves.toBe("{}");
});

test("the time without a byte begins with the last one, and what is removed does not count", async () => {
  const { arrive, pass, fetch } = await makeBed();
  const fetched = fetch([
    () => arrive(1000).then(fail),
    () => {
      pass();
      fail();
    },
  ]);
  await expect(fetched).rejects.toThrow(
    "gave up fetching from `quay.io`; not complete: aaaaaaaaaaaa",
  );
});

test("a failure that may pass is followed by another attempt, which carries on", async () => {
  const { complete, writeManifest, events, fetch } = await makeBed();
  await fetch([() => complete().then(fail), () => writeManifest("{}")]);
  expect(events()).toEqual(["start", "complete", "retry: it broke", "start"]);
});

test("a failure that will not pass ends the fetch as it is", async () => {
  const { events, fetch } = await makeBed();
  const denied = new BootcError("denied", { kind: "authentication" });
  await expect(fetch([() => Promise.reject(denied)])).rejects.toMatchObject({
    kind: "authentication",
  });
  expect(events()).toEqual(["start"]);
});

test("attempts in a row in which no layer became complete are counted, and only those", async () => {
  const { complete, fetch } = await makeBed();
  const limits = { attemptsMax: 2 };
  await expect(fetch([fail, fail], { limits })).rejects.toThrow("gave up");
  const runs = [fail, () => complete().then(fail), fail];
  await expect(fetch(runs, { limits })).rejects.toThrow("not complete: the manifest");
});

/** A skopeo to which nothing comes, until it is ended. */
const stall =
  (pass: () => void): Run =>
  async ({ signal }) => {
    await setImmediate(); // the attempt has begun by then
    pass();
    await new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  };

test("a transfer without a byte for too long is ended, and started anew", async () => {
  const { complete, writeManifest, pass, events, fetch } = await makeBed();
  const limits = { stallMs: 1000, giveUpMs: 60_000 };
  await fetch([stall(pass), () => complete().then(() => writeManifest("{}"))], { limits });
  expect(events()).toEqual([
    "start",
    "retry: nothing came from `quay.io` for 1 s",
    "start",
    "complete",
  ]);
});

test("local sources may take long before a byte comes", async () => {
  const { complete, writeManifest, pass, fetch } = await makeBed();
  const image = { transport: "oci", name: "/os" } as const;
  const copy = COPY.replace("docker://quay.io/example/os", "oci:/os");
  const slow: Run = async ({ signal }) => {
    await setImmediate();
    pass();
    // Several looks at what has come.
    for (let i = 0; i < 20; i++) await setTimeout(5);
    expect(signal?.aborted).toBe(false);
    await complete();
    await writeManifest("{}");
  };
  const options = { limits: { stallMs: 1000 }, source: { ...SOURCE, image }, copy };
  expect(await fetch([slow], options)).toBe("{}");
});

test("a manifest that was copied under another name is refused", async () => {
  const { complete, writeManifest, fetch } = await makeBed();
  const fetched = fetch([() => complete().then(() => writeManifest("{}", digestOf("other")))]);
  await expect(fetched).rejects.toMatchObject({ kind: "integrity" });
});

/** An image held open by a proxy that downloads as `download` does. */
function openedImage(download: OpenedImage["download"]) {
  const close = vi.fn();
  const read = () => Promise.reject(new Error("nothing is read"));
  const readManifest = () => Promise.resolve("{}");
  return { readManifest, manifestDigest: digestOf("{}"), read, download, close };
}

test("a layer comes through the proxy that holds its image, which is closed afterwards", async () => {
  const { cache, fetch } = await makeBed();
  const opened = openedImage(({ sizeBytes }, path) => writeFile(path, Buffer.alloc(sizeBytes)));
  await expect(fetch([], { opened })).resolves.toBe("{}");
  expect(await readdir(join(cache.blobDir, "sha256"))).toEqual(["a".repeat(64)]);
  expect(opened.close).toHaveBeenCalled();
});

test("more than two layers come by a copy, and the proxy is closed all the same", async () => {
  const { complete, writeManifest, fetch } = await makeBed();
  const finish = (manifest: string) => complete().then(() => writeManifest(manifest));
  const opened = openedImage(() => Promise.reject(new Error("nothing is downloaded")));
  const wanted = ["b", "c", "a"].map((it) => ({ ...LAYER, digest: `sha256:${it.repeat(64)}` }));
  const copied = fetch([() => finish('{"copied":true}')], { opened, wanted });
  await expect(copied).resolves.toBe('{"copied":true}');
  expect(opened.close).toHaveBeenCalled();
});

test.each([
  ["that may pass is reported, and", new BootcError("gone", { kind: "network" }), ["retry: gone"]],
  ["that will not pass is not reported, but", new BootcError("damaged"), []],
])("after a failure %s the layer comes by a copy", async (_what, error, told) => {
  const { cache, complete, writeManifest, events, fetch } = await makeBed();
  const finish = (manifest: string) => complete().then(() => writeManifest(manifest));
  if (told.length > 0) asTransient(error);
  const opened = openedImage(async (_blob, path) => {
    await writeFile(path, "half of it");
    throw error;
  });
  const copied = fetch([() => finish('{"copied":true}')], { opened });
  await expect(copied).resolves.toBe('{"copied":true}');
  expect(events().filter((it) => it.startsWith("retry"))).toEqual(told);
  expect(await readdir(cache.layoutDir)).toEqual(["index.json"]);
});
