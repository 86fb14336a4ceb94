import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { BootcError } from "../../errors.ts";
import type { OpenedImage } from "../../programs/skopeo/proxy.ts";
import { asTransient } from "../../programs/skopeo/skopeo.ts";
import { type BlobCache, blobPath, type WantedBlob } from "../../repository/cache.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { digestOf } from "../plan/inspect.ts";
import { fetchImage } from "./fetch.ts";

const LAYER = { digest: `sha256:${"a".repeat(64)}`, sizeBytes: 5000 };
const COPY =
  "+ skopeo --policy=/policy.json copy --quiet --preserve-digests --remove-signatures " +
  "--dest-oci-accept-uncompressed-layers --dest-shared-blob-dir=ROOT/blobs " +
  "docker://quay.io/example/os oci:ROOT/layout:image";
const SOURCE = {
  image: { transport: "registry", name: "quay.io/example/os" },
  access: {},
  policyFile: "/policy.json",
} as const;

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
    events,
    pass,
    /** The copy brings the layer and this manifest. */
    async finish(manifest: string) {
      const digest = digestOf(manifest);
      await writeFile(blobPath(cache, digest), manifest);
      await writeFile(blobPath(cache, LAYER.digest), Buffer.alloc(LAYER.sizeBytes));
      const index = JSON.stringify({ manifests: [{ digest }] });
      await writeFile(join(cache.layoutDir, "index.json"), index);
    },
    /** Has that much of the layer arrived, and the fetch notice it; then a second passes. */
    async arrive(bytes: number) {
      const { promise, resolve } = Promise.withResolvers<void>();
      seen.set(bytes, resolve);
      await writeFile(join(cache.layoutDir, "oci-put-blob1"), Buffer.alloc(bytes));
      await promise;
      pass();
    },
    /** Fetches by these runs of skopeo, of which none may be left over. */
    async fetch(
      runs: readonly (() => void | Promise<void>)[],
      { opened, wanted = [LAYER] }: { opened?: OpenedImage; wanted?: readonly WantedBlob[] } = {},
    ): Promise<string> {
      const script = runs.map((run): ScriptLine => [COPY, run]);
      const { ctx, requireAllUsed } = scriptedContext(root, script);
      try {
        return await fetchImage(ctx, SOURCE, {
          cache,
          wanted,
          opened,
          limits: { stallMs: 60_000, giveUpMs: 1500, attemptsMax: 8 },
          onComplete: () => undefined,
          onEvent(event) {
            events.push(event.type);
            if (event.type === "fetched-bytes") seen.get(event.bytes)?.();
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
  const { arrive, fetch, finish } = await makeBed();
  const fetched = fetch([
    () => arrive(1000).then(fail),
    () =>
      arrive(300)
        .then(() => arrive(600))
        .then(fail),
    () => finish("{}"),
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

/** An image held open by a proxy that downloads as `download` does. */
function openedImage(download: OpenedImage["download"]) {
  const close = vi.fn();
  const read = () => Promise.reject(new Error("nothing is read"));
  return { manifest: "{}", manifestDigest: digestOf("{}"), read, download, close };
}

test("a layer comes through the proxy that holds its image, which is closed afterwards", async () => {
  const { cache, fetch } = await makeBed();
  const opened = openedImage(({ sizeBytes }, path) => writeFile(path, Buffer.alloc(sizeBytes)));
  await expect(fetch([], { opened })).resolves.toBe("{}");
  expect(await readdir(join(cache.blobDir, "sha256"))).toEqual(["a".repeat(64)]);
  expect(opened.close).toHaveBeenCalled();
});

test("more than two layers come by a copy, and the proxy is closed all the same", async () => {
  const { fetch, finish } = await makeBed();
  const opened = openedImage(() => Promise.reject(new Error("nothing is downloaded")));
  const wanted = ["b", "c", "a"].map((it) => ({ ...LAYER, digest: `sha256:${it.repeat(64)}` }));
  const copied = fetch([() => finish('{"copied":true}')], { opened, wanted });
  await expect(copied).resolves.toBe('{"copied":true}');
  expect(opened.close).toHaveBeenCalled();
});

test.each([
  ["that may pass is reported, and", new BootcError("gone", { kind: "network" }), ["retry"]],
  ["that will not pass is not reported, but", new BootcError("damaged"), []],
])("after a failure %s the layer comes by a copy", async (_what, error, told) => {
  const { cache, events, fetch, finish } = await makeBed();
  if (told.length > 0) asTransient(error);
  const opened = openedImage(async (_blob, path) => {
    await writeFile(path, "half of it");
    throw error;
  });
  const copied = fetch([() => finish('{"copied":true}')], { opened });
  await expect(copied).resolves.toBe('{"copied":true}');
  expect(events.filter((it) => it === "retry")).toEqual(told);
  expect(await readdir(cache.layoutDir)).toEqual(["index.json"]);
});
