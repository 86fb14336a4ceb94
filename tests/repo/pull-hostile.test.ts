// Pulls of tampered images end with a typed error or the image, never with a crash, a hang or half an image.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeEachOstree } from "./ostree-versions.ts";
import { bootc, makeScratch, ostree, pullArgs, type Scratch } from "./program.ts";
import { makeTinyImage, writeBlob } from "./tiny-image.ts";

/** Each pull takes a second; other tests check without processes that documents of every kind are refused. */
const RUNS = Number(process.env.BOOTC_TEST_HOSTILE ?? 40);

describeEachOstree(() => {
  let scratch: Scratch;
  let layout: string;
  let manifest: Record<string, unknown>;
  let config: Record<string, unknown>;

  beforeAll(async () => {
    scratch = await makeScratch();
    layout = join(scratch.dir, "image");
    await mkdir(layout);
    const made = await makeTinyImage(layout, "good", {
      layers: [{ "/usr/a": "a" }, { "/usr/b": "b" }],
    });
    const read = async (digest: string) =>
      JSON.parse(
        await readFile(join(layout, "blobs/sha256", digest.slice("sha256:".length)), "utf8"),
      );
    manifest = await read(made.manifestDigest);
    config = await read((manifest.config as { digest: string }).digest);
  });
  afterAll(() => scratch?.remove());

  /** Writes the documents as an image in the layout, with correct digests, and returns its tag. */
  async function writeMutant(change: {
    readonly manifest: Record<string, unknown>;
    readonly config: Record<string, unknown> | undefined;
  }): Promise<void> {
    const type = "application/vnd.oci.image.config.v1+json";
    const changed =
      change.config === undefined
        ? change.manifest
        : {
            ...change.manifest,
            config: await writeBlob(layout, type, JSON.stringify(change.config)),
          };
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const descriptor = await writeBlob(layout, mediaType, JSON.stringify(changed));
    const annotations = { "org.opencontainers.image.ref.name": "mutant" };
    const manifests = [{ ...descriptor, annotations }];
    await writeFile(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  }

  const odd = fc.constantFrom<unknown>(
    ...[
      null,
      true,
      -1,
      0,
      1e300,
      1.5,
      "",
      "x",
      [],
      {},
      [[]],
      "sha256:ab",
      `sha256:${"0".repeat(64)}`,
    ],
  );

  /** A copy of `document` with one value, anywhere, replaced. */
  function mutate(document: Record<string, unknown>, pick: number, value: unknown) {
    const paths = pathsOf(document);
    const path = paths[pick % paths.length] ?? [];
    const copy = structuredClone(document);
    let at: Record<string, unknown> = copy;
    for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
    at[path.at(-1) ?? ""] = value;
    return copy;
  }

  function pathsOf(value: unknown): string[][] {
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, it]) => [
      [key],
      ...pathsOf(it).map((path) => [key, ...path]),
    ]);
  }

  test(`${RUNS} tampered manifests and configurations`, async () => {
    const repo = scratch.repo();
    const property = fc.asyncProperty(
      fc.boolean(),
      fc.nat(),
      odd,
      async (isManifest, pick, value) => {
        await writeMutant(
          isManifest
            ? { manifest: mutate(manifest, pick, value), config: undefined }
            : { manifest, config: mutate(config, pick, value) },
        );
        const ended = await bootc(pullArgs(repo, `ostree-unverified-image:oci:${layout}:mutant`));
        const images = ostree("refs", `--repo=${repo}`, "--list", "ostree/container");
        expect(images === "").toBe(ended.status !== 0);
        expect(ended.stderr).not.toContain("this is a defect of bootc");
        expect([0, 1, 3, 4, 6, 8]).toContain(ended.status);
        if (ended.status === 0) {
          const name = `oci:${layout}:mutant`;
          await bootc(["internals", "ostree-container", "image", "remove", "--repo", repo, name]);
        }
      },
    );
    await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
    ostree("fsck", `--repo=${repo}`, "--quiet");
  });
});
