// Layers whose blobs are unusual, and layers whose blobs are damaged, as a registry or a directory serves them.
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeEachOstree } from "./ostree-versions.ts";
import { bootc, makeScratch, ostree, pullArgs, type Scratch, skopeo } from "./program.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { leftovers } from "./served-image.ts";
import { formatTar, makeTinyImage, type TinyImage } from "./tiny-image.ts";

const INSECURE = "--insecure-skip-tls-verification";
const NOTHING = Buffer.alloc(0);

const plain = (blob: Uint8Array) => ({ blob, suffix: "" }) as const;

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

  const FULL = formatTar({ "/usr/bin/a": "a" });

  test.each<[string, readonly Buffer[]]>([
    ["alone", [NOTHING]],
    ["below others", [NOTHING, FULL]],
    ["twice on top of others", [FULL, NOTHING, NOTHING]],
  ])("a layer of no bytes is an empty layer: %s", async (_, layers) => {
    const { dir } = await makeImage({ layers, pack: plain });
    const target = `${registry.address}/empty`;
    skopeo("copy", "-q", `oci:${dir}:os`, `docker://${target}`, "--dest-tls-verify=false");
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
      // The layer is there now, and so needs no blob.
      const again = await makeImage({
        layers: [...layers, formatTar({ "/usr/bin/b": "b" })],
        pack: plain,
      });
      const next = await bootc(pullArgs(repo, `ostree-unverified-image:oci:${again.dir}:os`));
      expect(next).toMatchObject({ status: 0 });
      expect(await leftovers(repo)).toEqual([]);
    }
  });
});
