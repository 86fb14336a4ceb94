// Pulls every generated image from a registry: complete, equal to stock ostree's result, and only once.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseOstreeReference } from "../../src/image/reference.ts";
import { blobRef } from "../../src/ostree/ref-names.ts";
import { planPull } from "../../src/pull/plan/plan.ts";
import { pullImage } from "../../src/pull/pull.ts";
import type { PulledImage } from "../../src/pull/request.ts";
import { derivedImages } from "./images/derived.ts";
import { encapsulatedTars } from "./images/encapsulate.ts";
import { dir, file, makeTar } from "./images/tar-writer.ts";
import { trixieOstree } from "./ostree-versions.ts";
import { makeScratch, type Scratch, skopeo } from "./program.ts";
import { blobRequests, type Registry, startRegistry } from "./registry.ts";
import {
  createTestRepo,
  digestOf,
  importBlob,
  rootsOf,
  stockMerge,
  type TestRepo,
} from "./test-repo.ts";
import { makeTinyImage, type TinyImage } from "./tiny-image.ts";

interface Served {
  readonly address: string;
  /** Of the derived layers, lowest first. */
  readonly derived: readonly string[];
  /** The ostree commit inside. */
  readonly base: string | undefined;
}

const ENCAPSULATED = "an ostree commit with a layer on top";
const generated = derivedImages();
/** The ostree version whose own checkout handles all of them correctly. */
const ostree = trixieOstree();
const served = new Map<string, Served>();
let scratch: Scratch;
let registry: Registry;
let it: TestRepo;

beforeAll(async () => {
  it = createTestRepo(ostree);
  scratch = await makeScratch();
  registry = await startRegistry();
  for (const { name, layers } of generated) {
    await serve(name, { layers: layers.map(makeTar), labels: {} }, undefined);
  }
  await serveEncapsulated();
});
afterAll(async () => {
  it?.remove();
  await registry?.stop();
  await scratch?.remove();
});

async function serve(name: string, image: TinyImage, base: Served["base"]): Promise<void> {
  const address = `${registry.address}/image-${served.size}`;
  const top = join(scratch.dir, `image-${served.size}`);
  await mkdir(top);
  const { layerDigests } = await makeTinyImage(top, "os", image);
  skopeo("copy", "-q", `oci:${top}:os`, `docker://${address}`, "--dest-tls-verify=false");
  served.set(name, { address, base, derived: base ? layerDigests.slice(-1) : layerDigests });
}

async function serveEncapsulated(): Promise<void> {
  const source = createTestRepo(ostree);
  try {
    const tree = [dir("."), dir("usr"), dir("usr/etc"), file("usr/etc/a", "a"), file("usr/b", "b")];
    const { commit } = await importBlob(source, makeTar(tree));
    const base = source.ostree("commit", "--branch=base", `--tree=ref=${commit}`);
    const { commitLayer, chunks } = encapsulatedTars(source, base, {
      style: "newest",
      chunkCount: 2,
    });
    const labels = {
      "ostree.final-diffid": digestOf(chunks.at(-1) ?? commitLayer),
      "ostree.commit": base,
    };
    const onTop = makeTar([dir("."), dir("usr"), file("usr/.wh.b"), file("usr/c", "c")]);
    await serve(ENCAPSULATED, { layers: [commitLayer, ...chunks, onTop], labels }, base);
  } finally {
    source.remove();
  }
}

async function pull(address: string): Promise<PulledImage> {
  const plan = await planPull(it.ctx, {
    repo: it.repo,
    reference: parseOstreeReference(`ostree-unverified-registry:${address}`),
    access: { skipsTlsVerification: true },
    requiresBootable: false,
  });
  return await pullImage(it.ctx, plan);
}

test.each([...generated, { name: ENCAPSULATED }])(
  "$name: pulled as stock ostree merges it, and not twice",
  async ({ name }) => {
    const image = served.get(name);
    if (image === undefined) throw new Error(`${name} is not served`);
    const first = await pull(image.address);
    expect(first.isUnchanged).toBe(false);
    expect(blobRequests(await registry.requests())).not.toEqual([]);
    const derived = image.derived.map((digest) => it.ostree("rev-parse", blobRef(digest)));
    const stock = stockMerge(it, { base: image.base, derived });
    expect(rootsOf(it, first.commit)).toEqual(rootsOf(it, stock));
    const before = it.ostree("refs", "--list", "--revision");
    const second = await pull(image.address);
    expect(second).toMatchObject({ isUnchanged: true, commit: first.commit });
    expect(it.ostree("refs", "--list", "--revision")).toBe(before);
    const requests = await registry.requests();
    expect(requests.filter((request) => request.includes("/manifests/"))).not.toEqual([]);
    expect(blobRequests(requests)).toEqual([]);
  },
);

test("afterwards the repository is intact, and no ref of a pull is left", () => {
  it.ostree("fsck", "--quiet");
  const refs = it.ostree("refs", "--list").split("\n");
  expect(refs.filter((ref) => !/^ostree\/container\/(blob|image)\//.test(ref))).toEqual([]);
  const images = refs.filter((ref) => ref.startsWith("ostree/container/image/"));
  expect(images).toHaveLength(served.size);
});
