// Layers with unusual or damaged blobs, served by a registry or a directory.
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isDoorShut, NEEDS_DOOR } from "./door.ts";
import { PASS, startFaultyProxy } from "./faulty-proxy.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import { bootc, makeScratch, ostree, pullArgs, type Scratch, skopeo } from "./program.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { leftovers } from "./served-image.ts";
import { formatTar, makeTinyImage, type TinyImage } from "./tiny-image.ts";

const INSECURE = "--insecure-skip-tls-verification";
const PLAIN_HTTP = "--dest-tls-verify=false";
const NOTHING = Buffer.alloc(0);

const plain = (blob: Uint8Array) => ({ blob, suffix: "" }) as const;

const FULL = formatTar({ "/usr/bin/a": "a".repeat(5000) });
const GZIP = gzipSync(FULL);
const ZSTD = zstdCompressSync(FULL, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
/** The header of a frame with a window of 2 GiB, as `zstd --long=31` writes it, and an empty last block. */
const WIDE_ZSTD = Buffer.from("28b52ffd00a8010000", "hex");

/** A copy of which one byte is another; `at` counts from the end when negative. */
function damaged(blob: Buffer, at: number): Buffer {
  const copy = Buffer.from(blob);
  const index = at < 0 ? blob.length + at : at;
  copy[index] = (blob[index] ?? 0) ^ 0xff;
  return copy;
}

function followed(blob: Buffer, text: string): Buffer {
  return Buffer.concat([blob, Buffer.from(text)]);
}

describeEachOstree(() => {
  let scratch: Scratch;
  let registry: Registry;

  beforeAll(async () => {
    scratch = await makeScratch();
    registry = await startRegistry();
  });
  afterAll(async () => {
    await registry?.stop();
    await scratch?.remove();
  });

  async function makeImage(image: TinyImage) {
    const dir = await mkdtemp(join(scratch.dir, "image-"));
    return { dir, ...(await makeTinyImage(dir, "os", image)) };
  }

  function committed(stdout: string): string {
    return /^Wrote: \S+ => ([0-9a-f]{64})$/m.exec(stdout)?.[1] ?? "";
  }

  test.each<[string, readonly Buffer[]]>([
    ["alone", [NOTHING]],
    ["below others", [NOTHING, FULL]],
    ["twice on top of others", [FULL, NOTHING, NOTHING]],
  ])("a layer of no bytes is an empty layer: %s", async (_, layers) => {
    const { dir } = await makeImage({ layers, pack: plain });
    const target = `${registry.address}/empty`;
    skopeo("copy", "-q", `oci:${dir}:os`, `docker://${target}`, PLAIN_HTTP);
    for (const reference of [
      `ostree-unverified-image:oci:${dir}:os`,
      `ostree-unverified-registry:${target}`,
    ]) {
      const repo = scratch.repo();
      const ended = await bootc(pullArgs(repo, reference, INSECURE));
      expect(ended).toMatchObject({ status: 0 });
      const listed = ostree("ls", "-R", `--repo=${repo}`, committed(ended.stdout));
      expect(listed.includes("/usr/bin/a")).toBe(layers.includes(FULL));
      ostree("fsck", `--repo=${repo}`, "--quiet");
      expect(await leftovers(repo)).toEqual([]);
      // The layer is stored now, and needs no blob any more.
      const again = await makeImage({
        layers: [...layers, formatTar({ "/usr/bin/b": "b" })],
        pack: plain,
      });
      const next = await bootc(pullArgs(repo, `ostree-unverified-image:oci:${again.dir}:os`));
      expect(next).toMatchObject({ status: 0 });
      expect(await leftovers(repo)).toEqual([]);
    }
  });

  test("a layer that skopeo does not fetch is an error that names it", async () => {
    const urls = ["https://layers.example/1"];
    const { dir, layerDigests } = await makeImage({ layers: [FULL], urls });
    const repo = scratch.repo();
    const ended = await bootc(pullArgs(repo, `ostree-unverified-image:oci:${dir}:os`));
    expect(ended).toMatchObject({ status: 3 });
    expect(ended.stderr).toContain(`copied the image without its layer \`${layerDigests[0]}\``);
    expect(await leftovers(repo)).toEqual([]);
  });

  // Fewer layers come through the proxy, by the manifest that it has read.
  test.for([
    { way: "the proxy and a copy", env: {}, requests: 2 },
    { way: "inspect, twice, and a copy", env: { BOOTC_WITHOUT_FFI: "1" }, requests: 3 },
  ])(
    "an image that is replaced while its layers are fetched is followed, by $way",
    async ({ env, requests }, { skip }) => {
      if (isDoorShut && !("BOOTC_WITHOUT_FFI" in env)) skip(NEEDS_DOOR);
      const repo = scratch.repo();
      const others = ["/usr/bin/c", "/usr/bin/d"].map((it) => formatTar({ [it]: it }));
      const make = (b: string) =>
        makeImage({ layers: [FULL, formatTar({ "/usr/bin/b": b }), ...others] });
      const [old, next] = [await make("old"), await make("new")];
      const push = ({ dir }: { readonly dir: string }) =>
        skopeo("copy", "-q", `oci:${dir}:os`, `docker://${registry.address}/replaced`, PLAIN_HTTP);
      push(old);
      let asked = 0;
      const proxy = await startFaultyProxy(registry.address, (path, method) => {
        const isManifest = method === "GET" && path.endsWith("/manifests/latest");
        // The copy asks last, after the plan.
        if (isManifest && ++asked === requests) push(next);
        return PASS;
      });
      try {
        const reference = `ostree-unverified-registry:${proxy.address}/replaced`;
        const ended = await bootc(pullArgs(repo, reference, INSECURE), { env });
        expect(ended).toMatchObject({ status: 0 });
        expect(asked).toBe(requests);
        const commit = committed(ended.stdout);
        expect(ostree("cat", `--repo=${repo}`, commit, "/usr/bin/b")).toBe("new");
        expect(await leftovers(repo)).toEqual([]);
      } finally {
        await proxy.stop();
      }
    },
  );

  test.each<[string, "+gzip" | "+zstd", Uint8Array, string]>([
    ["a wrong checksum", "+gzip", damaged(GZIP, -8), "the checksum at the end of its gzip stream"],
    ["a wrong length", "+gzip", damaged(GZIP, -4), "the length at the end of its gzip stream"],
    ["no trailer", "+gzip", GZIP.subarray(0, -8), "its gzip stream is cut off"],
    ["half a trailer", "+gzip", GZIP.subarray(0, -3), "its gzip stream is cut off"],
    ["half of it", "+gzip", GZIP.subarray(0, GZIP.length / 2), "its gzip stream is cut off"],
    ["garbage behind it", "+gzip", followed(GZIP, "garbage"), "data follows its gzip stream"],
    ["a byte behind it", "+gzip", followed(GZIP, "x"), "data follows its gzip stream"],
    ["zeros behind it", "+gzip", followed(GZIP, "\0".repeat(99)), "data follows its gzip stream"],
    ["a damaged header", "+gzip", damaged(GZIP, 2), "its gzip stream is damaged"],
    ["a wrong checksum", "+zstd", damaged(ZSTD, -1), "the checksum in its zstd stream"],
    ["no checksum", "+zstd", ZSTD.subarray(0, -4), "its zstd stream is cut off"],
    ["half of it", "+zstd", ZSTD.subarray(0, ZSTD.length / 2), "its zstd stream is cut off"],
    ["garbage behind it", "+zstd", followed(ZSTD, "garbage"), "data follows its zstd stream"],
    ["a damaged header", "+zstd", damaged(ZSTD, 4), "its zstd stream is damaged"],
    [
      "too large a window",
      "+zstd",
      WIDE_ZSTD,
      "its zstd stream needs a window of more than 128 MiB",
    ],
  ])("a damaged blob is an error of one line: %s (%s)", async (_, suffix, blob, words) => {
    const { dir, layerDigests } = await makeImage({
      layers: [FULL],
      pack: () => ({ blob, suffix }),
    });
    const repo = scratch.repo();
    const reference = `ostree-unverified-image:oci:${dir}:os`;
    const ended = await bootc(pullArgs(repo, reference, "--quiet"));
    expect(ended).toMatchObject({ status: 6 });
    const [line = "", ...more] = ended.stderr.split("\n").filter((it) => !it.startsWith("hint: "));
    expect(line).toContain(`the layer \`${layerDigests[0]}\` cannot be imported: ${words}`);
    expect(more).toEqual([""]);
    expect(ostree("refs", `--repo=${repo}`)).toBe("");
    expect(await leftovers(repo)).toEqual([]);
  });
});
