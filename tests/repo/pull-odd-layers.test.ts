// Layers whose blobs are unusual, and layers whose blobs are damaged, as a registry or a directory serves them.
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
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

  test("a layer that skopeo does not fetch is an error that names it", async () => {
    const urls = ["https://layers.example/1"];
    const { dir, layerDigests } = await makeImage({ layers: [FULL], urls });
    const repo = scratch.repo();
    const ended = await bootc(pullArgs(repo, `ostree-unverified-image:oci:${dir}:os`));
    expect(ended).toMatchObject({ status: 3 });
    expect(ended.stderr).toContain(`copied the image without its layer \`${layerDigests[0]}\``);
    expect(await leftovers(repo)).toEqual([]);
  });

  test("an image that is replaced while its layers are fetched is followed", async () => {
    const repo = scratch.repo();
    const make = (b: string) => makeImage({ layers: [FULL, formatTar({ "/usr/bin/b": b })] });
    const [old, next] = [await make("old"), await make("new")];
    const push = ({ dir }: { readonly dir: string }) =>
      skopeo("copy", "-q", `oci:${dir}:os`, `docker://${registry.address}/replaced`, PLAIN_HTTP);
    push(old);
    let asked = 0;
    const proxy = await startFaultyProxy(registry.address, (path, method) => {
      const isManifest = method === "GET" && path.endsWith("/manifests/latest");
      // The plan asks for manifest and configuration, the copy comes third.
      if (isManifest && ++asked === 3) push(next);
      return PASS;
    });
    try {
      const reference = `ostree-unverified-registry:${proxy.address}/replaced`;
      const ended = await bootc(pullArgs(repo, reference, INSECURE));
      expect(ended).toMatchObject({ status: 0 });
      expect(asked).toBe(3);
      const commit = committed(ended.stdout);
      expect(ostree("cat", `--repo=${repo}`, commit, "/usr/bin/b")).toBe("new");
      expect(await leftovers(repo)).toEqual([]);
    } finally {
      await proxy.stop();
    }
  });
});
