// The commands on repositories that installers and image pipelines call, on a real repository and registry.
import { appendFile, mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withRepositoryLock } from "../../src/repository/lock.ts";
import { createContext } from "../../src/system/run.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import { bootc, type Ended, makeScratch, ostree, pullArgs, type Scratch } from "./program.ts";
import { type MadeImage, makeTinyImage } from "./tiny-image.ts";

describeEachOstree(() => {
  let scratch: Scratch;
  let repo: string;
  const images: Record<"a" | "b", { readonly made: MadeImage; readonly name: string }> =
    {} as never;

  beforeAll(async () => {
    scratch = await makeScratch();
    repo = scratch.repo();
    const common = { "/usr/bin/common": "common" };
    for (const tag of ["a", "b"] as const) {
      const dir = join(scratch.dir, tag);
      await mkdir(dir);
      const made = await makeTinyImage(dir, "os", {
        layers: [common, { [`/usr/lib/${tag}`]: tag }],
      });
      images[tag] = { made, name: `oci:${dir}:os` };
    }
  });
  afterAll(() => scratch?.remove());

  /** `ostree container …` */
  function container(...args: readonly string[]): Promise<Ended> {
    return bootc(["internals", "ostree-container", ...args]);
  }

  const reference = (tag: "a" | "b") => `ostree-unverified-image:${images[tag].name}`;
  const pull = (tag: "a" | "b", into: string) => bootc(pullArgs(into, reference(tag), "--quiet"));
  const blobs = (of: string) =>
    ostree("refs", `--repo=${of}`, "--list", "ostree/container/blob").split("\n").filter(Boolean);

  test("images are pulled quietly, listed, described, copied and removed", async () => {
    for (const tag of ["a", "b"] as const) {
      expect(await pull(tag, repo)).toMatchObject({ status: 0, stderr: "" });
    }
    const list = await container("image", "list", "--repo", repo);
    expect(list.stdout).toBe(`${images.a.name}\n${images.b.name}\n`);

    const metadata = await container("image", "metadata", "--repo", repo, images.a.name);
    const { layers } = JSON.parse(metadata.stdout);
    expect(layers.map((it: { digest: string }) => it.digest)).toEqual(images.a.made.layerDigests);
    const config = await container("image", "metadata", "--repo", repo, images.a.name, "--config");
    expect(JSON.parse(config.stdout).rootfs.diff_ids).toHaveLength(2);

    const history = await container("image", "history", "--repo", repo, images.a.name);
    const [heading, first = "", second = ""] = history.stdout.split("\n");
    expect(heading).toBe("ID                          SIZE  CREATED BY");
    expect(first).toMatch(/^[0-9a-f]{20} +\d+ bytes {2}layer 0$/);
    expect(second).toMatch(/layer 1$/);

    const other = scratch.repo();
    const words = ["--src-repo", repo, "--dest-repo", other, reference("a")];
    expect(await container("image", "copy", ...words)).toMatchObject({ status: 0 });
    ostree("fsck", `--repo=${other}`, "--quiet");
    expect(blobs(other)).toHaveLength(2);
    expect((await pull("a", other)).stdout).toMatch(/^No changes in /);

    const removed = await container("image", "remove", "--repo", repo, images.b.name);
    expect(removed).toMatchObject({ status: 0, stdout: "Removed images: 1 layers: 1\n" });
    expect(blobs(repo)).toHaveLength(2);
    const again = await container("image", "remove", "--repo", repo, images.b.name);
    expect(again).toMatchObject({ status: 1, stdout: "" });
  });

  test("a path that is not a repository is refused before anything is asked or made", async () => {
    const none = join(scratch.dir, "none");
    const words: readonly (readonly string[])[] = [
      ["pull", none, "ostree-unverified-registry:registry.invalid/os"],
      ["list", "--repo", none],
      ["history", "--repo", none, "docker://registry.invalid/os"],
      ["metadata", "--repo", none, "docker://registry.invalid/os"],
      ["remove", "--repo", none, "docker://registry.invalid/os"],
      ["prune-layers", "--repo", none],
      ["clear-cached-update", "--repo", none, "docker://registry.invalid/os"],
      ["copy", "--src-repo", repo, "--dest-repo", none, reference("a")],
    ];
    for (const it of words) {
      const { status, stderr } = await container("image", ...it);
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining(`\`${none}\` is not an ostree repository\nhint: `),
      ]);
    }
    for (const words of [["prune-images"], ["deploy", "--imgref", reference("a")]]) {
      const { status, stderr } = await container("image", ...words, "--sysroot", none);
      expect([status, stderr]).toEqual([
        2,
        `error: \`${none}/ostree/repo\` is not an ostree repository\n` +
          `hint: \`ostree admin init-fs ${none}\` makes one\n`,
      ]);
    }
    await expect(readdir(none)).rejects.toThrow("ENOENT");
  });

  test("meaningless arguments are refused before anything is asked or made", async () => {
    const own = scratch.repo();
    const none = join(scratch.dir, "none");
    const registry = "ostree-unverified-registry:registry.invalid/os";
    const deploy = ["image", "deploy", "--sysroot", none];
    const cases: readonly (readonly [words: readonly string[], said: string])[] = [
      [["info", "quay.io/x"], "ostree's verification schemes\nhint: examples are `ostree-"],
      [["info", "ostree-unverified-registry:UPPER"], "`UPPER` is not the name of an image in"],
      [
        ["info", registry, "--authfile", none],
        `the credentials \`${none}\` cannot be read: ENOENT`,
      ],
      [["image", "pull", own, registry, "--cert-dir", none], `certificates in \`${none}\` cannot`],
      [["info", registry, "--auth-anonymous", "--authfile", none], "cannot be used with option"],
      [
        ["unencapsulate", "--repo", own, reference("a"), "--write-ref", "a b"],
        "`a b` cannot be the",
      ],
      [
        ["unencapsulate", "--repo", own, reference("a"), "--write-ref", ""],
        "`` cannot be the name",
      ],
      [["image", "history", "--repo", own, "x"], "transport\nhint: an example is `docker://"],
      [[...deploy, "--image", ""], "`` is not the name of an image in a registry"],
      [
        [...deploy, "--imgref", reference("a"), "--target-imgref", ""],
        "`` is not an image reference",
      ],
    ];
    for (const [words, said] of cases) {
      const ended = await container(...words);
      expect(ended, words.join(" ")).toMatchObject({ status: 2, stdout: "" });
      expect(ended.stderr).toContain(said);
    }
    expect(ostree("refs", `--repo=${own}`)).toBe("");
    expect(await readdir(join(own, "extensions"))).toEqual([]);
  });

  test("an update says how much of it is new", async () => {
    const [own, dir] = [scratch.repo(), join(scratch.dir, "moving")];
    const from = pullArgs(own, `ostree-unverified-image:oci:${dir}:os`, "--quiet");
    await makeTinyImage(dir, "os", { layers: [{ "/usr/a": "a" }, { "/usr/b": "1" }] });
    expect((await bootc(from)).stdout).not.toContain("new layers");
    await makeTinyImage(dir, "os", { layers: [{ "/usr/a": "a" }, { "/usr/b": "2" }] });
    expect((await bootc(from)).stdout).toMatch(
      /^Total new layers: 2 .*\nRemoved layers: {3}1 .*\nAdded layers: {5}1 .*\nlayers already present: 1; /,
    );
  });

  test("the next pull completes an image from which ostree's fsck removed a damaged part", async () => {
    const own = scratch.repo();
    const whole = await pull("a", own);
    expect(whole.status, whole.stderr).toBe(0);
    const [image = ""] = ostree("refs", `--repo=${own}`, "--list", "ostree/container/image").split(
      "\n",
    );
    const listed = ostree("ls", `--repo=${own}`, "--checksum", image, "/usr/bin/common");
    const [checksum = ""] = /[0-9a-f]{64}/.exec(listed) ?? [];
    await appendFile(join(own, `objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.file`), "x");
    expect(() => ostree("fsck", `--repo=${own}`, "--delete", "--quiet")).toThrow();
    const again = await pull("a", own);
    expect([again.status, again.stdout]).toEqual([0, expect.stringContaining("Wrote: ")]);
    expect(again.stdout.split("\n").at(-2)).toBe(whole.stdout.split("\n").at(-2));
    // A commit that fsck marked as partial and that has no ref is garbage, which 2022.7 counts.
    ostree("prune", `--repo=${own}`, "--refs-only");
    ostree("fsck", `--repo=${own}`, "--quiet");
  });

  test("the next pull restores a layer's lost ref", async () => {
    const own = scratch.repo();
    await pull("a", own);
    const before = blobs(own);
    ostree("refs", `--repo=${own}`, "--delete", before[0] ?? "");
    expect((await pull("a", own)).status).toBe(0);
    expect(blobs(own)).toEqual(before);
  });

  test("prune-layers removes layers left by --skip-gc, and keeps those of stored images", async () => {
    const own = scratch.repo();
    await pull("a", own);
    await pull("b", own);
    expect(blobs(own)).toHaveLength(3);
    const removed = await container("image", "remove", "--repo", own, images.a.name, "--skip-gc");
    expect(removed).toMatchObject({ status: 0, stdout: "Removed images: 1\n" });
    expect(blobs(own)).toHaveLength(3);
    const pruned = await container("image", "prune-layers", "--repo", own);
    expect(pruned).toMatchObject({ status: 0, stdout: "Removed layers: 1\n" });
    ostree("fsck", `--repo=${own}`, "--quiet");
  });

  test("prune-images keeps what a deployment follows and nothing else", async () => {
    const sysroot = join(scratch.dir, "sysroot");
    await mkdir(sysroot);
    ostree("admin", "init-fs", "--modern", sysroot);
    ostree("admin", "os-init", `--sysroot=${sysroot}`, "default");
    const own = join(sysroot, "ostree/repo");
    await pull("a", own);
    await pull("b", own);
    const deploy = join(sysroot, "ostree/deploy/default/deploy");
    await mkdir(deploy, { recursive: true });
    const origin = `[origin]\ncontainer-image-reference=${reference("b")}\n`;
    await writeFile(join(deploy, `${"0".repeat(64)}.0.origin`), origin);
    const pruned = await container("image", "prune-images", "--sysroot", sysroot, "--full");
    expect(pruned).toMatchObject({ status: 0 });
    expect(pruned.stdout).toMatch(
      /^Removed images: 1\nRemoved layers: 1\nRemoved objects: [1-9]\d*\nFreed: .+\n$/,
    );
    const list = await container("image", "list", "--repo", own);
    expect(list.stdout).toBe(`${images.b.name}\n`);
    ostree("fsck", `--repo=${own}`, "--quiet");

    // Without --full each image is named, and layers are left or counted.
    await pull("a", own);
    const named = await container("image", "prune-images", "--sysroot", sysroot);
    expect(named).toMatchObject({ status: 0, stdout: `Removed: ${images.a.name}\n` });
    expect(blobs(own)).toHaveLength(3);
    const counted = await container("image", "prune-images", "--sysroot", sysroot, "--and-layers");
    expect(counted).toMatchObject({ status: 0, stdout: "Removed layers: 1\n" });

    // With nothing left to remove, it says so.
    const none = await container("image", "prune-images", "--sysroot", sysroot);
    expect(none).toMatchObject({ status: 0, stdout: "No unreferenced images.\n" });
    ostree("prune", `--repo=${own}`, "--refs-only", "--depth=0");
    const nothing = await container("image", "prune-images", "--sysroot", sysroot, "--full");
    expect(nothing).toMatchObject({ status: 0, stdout: "No content was pruned.\n" });
  });

  test("every image stays when an origin cannot be understood", async () => {
    const sysroot = join(scratch.dir, "odd-sysroot");
    await mkdir(sysroot);
    ostree("admin", "init-fs", "--modern", sysroot);
    const own = join(sysroot, "ostree/repo");
    await pull("a", own);
    const deploy = join(sysroot, "ostree/deploy/default/deploy");
    await mkdir(deploy, { recursive: true });
    await writeFile(join(deploy, "x.origin"), "[origin]\ncontainer-image-reference=what:is this\n");
    const pruned = await container("image", "prune-images", "--sysroot", sysroot, "--and-layers");
    expect(pruned).toMatchObject({ status: 6, stdout: "" });
    expect(pruned.stderr).toContain("x.origin");
    expect(blobs(own)).toHaveLength(2);
  });

  test("every command that writes waits for another writer for at most --lock-timeout", async () => {
    const sysroot = join(scratch.dir, "busy-sysroot");
    await mkdir(sysroot);
    ostree("admin", "init-fs", "--modern", sysroot);
    const own = join(sysroot, "ostree/repo");
    await pull("a", own);
    const commands = [
      ["copy", "--src-repo", repo, "--dest-repo", own, reference("a")],
      ["remove", "--repo", own, images.a.name],
      ["prune-layers", "--repo", own],
      ["prune-images", "--sysroot", sysroot],
      ["clear-cached-update", "--repo", own, images.a.name],
    ];
    const work = async () => {
      for (const words of commands) {
        const ended = await container("image", ...words, "--lock-timeout", "0.1");
        expect(ended, words.join(" ")).toMatchObject({ status: 9, stdout: "" });
        expect(ended.stderr).toContain("(a test, process");
      }
    };
    const ctx = createContext({ env: process.env });
    await withRepositoryLock(ctx, own, { options: { purpose: "a test" }, work });
    expect(blobs(own)).toHaveLength(2);
  });

  test("info prints the digest of the image that a reference names", async () => {
    const info = await container("info", reference("a"));
    const { manifestDigest } = images.a.made;
    expect(info).toMatchObject({
      status: 0,
      stdout: `${reference("a")} digest: ${manifestDigest}\n`,
    });
  });

  test("an image with layers on top of its commit is not unencapsulated", async () => {
    const refused = await container("unencapsulate", "--repo", repo, reference("a"));
    expect(refused).toMatchObject({ status: 3, stdout: "" });
    expect(refused.stderr).toContain("has 2 layers that do not belong to an ostree commit");
  });

  test("the checksum of the commit goes to a file", async () => {
    const file = join(scratch.dir, "commit");
    await bootc(pullArgs(repo, reference("a"), "--ostree-digestfile", file));
    expect(await readFile(file, "utf8")).toMatch(/^[0-9a-f]{64}$/);
  });

  test("an update found by --check is remembered until clear-cached-update", async () => {
    const own = scratch.repo();
    const dir = join(scratch.dir, "followed");
    await mkdir(dir);
    const name = `oci:${dir}:os`;
    const check = join(scratch.dir, "check.json");
    const words = pullArgs(own, `ostree-unverified-image:${name}`, "--quiet");
    const readSeen = () => {
      const [image = ""] = ostree(
        "refs",
        `--repo=${own}`,
        "--list",
        "ostree/container/image",
      ).split("\n");
      const key = "--print-detached-metadata-key=ostree-ext.cached.manifest-digest";
      return ostree("show", `--repo=${own}`, key, image).trim();
    };
    await makeTinyImage(dir, "os", { layers: [{ "/usr/x": "1" }] });
    // No stored image exists yet to remember the update with.
    expect(await bootc([...words, "--check", check])).toMatchObject({ status: 0 });
    expect(await bootc(words)).toMatchObject({ status: 0 });
    expect(readSeen).toThrow();

    const { manifestDigest, layerDigests } = await makeTinyImage(dir, "os", {
      layers: [{ "/usr/x": "2" }],
    });
    expect(await bootc([...words, "--check", check])).toMatchObject({ status: 0, stdout: "" });
    expect(JSON.parse(await readFile(check, "utf8")).layers[0].digest).toBe(layerDigests[0]);
    expect(readSeen()).toBe(`'${manifestDigest}'`);
    const cleared = await container("image", "clear-cached-update", "--repo", own, name);
    expect(cleared).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(readSeen).toThrow();
    ostree("fsck", `--repo=${own}`, "--quiet");
  });

  test.each([
    {
      what: "an image without a bootable label",
      image: { labels: null },
      says: "Target image does not have ostree.bootable label",
    },
    {
      what: "an image for other hardware",
      image: { architecture: "s390x" },
      says: "Image has architecture s390x; expected ",
    },
  ])("$what is not deployed, stored or not", async ({ image, says }) => {
    const dir = await mkdtemp(join(scratch.dir, "unbootable-"));
    await makeTinyImage(dir, "os", { layers: [{ "/usr/x": "x" }], ...image });
    const sysroot = await mkdtemp(join(scratch.dir, "deploy-sysroot-"));
    ostree("admin", "init-fs", "--modern", sysroot);
    const imgref = `ostree-unverified-image:oci:${dir}:os`;
    const words = ["--sysroot", sysroot, "--imgref", imgref];
    const refused = { status: 3, stderr: expect.stringContaining(says) };
    expect(await container("image", "deploy", ...words)).toMatchObject(refused);
    const pulled = await bootc(pullArgs(join(sysroot, "ostree/repo"), imgref));
    expect(pulled).toMatchObject({ status: 0 });
    expect(await container("image", "deploy", ...words)).toMatchObject(refused);
  });

  test("a bootable image is deployed, with its origin and kernel arguments", async () => {
    const dir = join(scratch.dir, "bootable");
    await mkdir(dir);
    const kernel = {
      "/usr/lib/modules/6.1/vmlinuz": "kernel",
      "/usr/lib/modules/6.1/initramfs.img": "i",
    };
    const release = {
      "/usr/lib/os-release": "ID=test\nPRETTY_NAME=Test\n",
      "/usr/lib/bootc/kargs.d/10-console.toml": 'kargs = ["console=ttyS0"]\n',
      "/usr/lib/bootc/kargs.d/20-old.toml/README": "directories are no files",
      "/etc/x": "x",
    };
    await makeTinyImage(dir, "os", {
      layers: [kernel, release],
      architecture: process.arch === "x64" ? "amd64" : "arm64",
      labels: { "containers.bootc": "2" },
    });
    const sysroot = join(scratch.dir, "bootable-sysroot");
    await mkdir(sysroot);
    ostree("admin", "init-fs", "--modern", sysroot);
    ostree("admin", "os-init", `--sysroot=${sysroot}`, "default");
    const target = "ostree-unverified-registry:quay.io/example/os:latest";
    const ended = await container(
      ...["image", "deploy", "--sysroot", sysroot, "--image", `${dir}:os`, "--transport", "oci"],
      ...["--target-imgref", target, "--karg", "root=LABEL=x", "--karg", "quiet"],
      ...["--write-commitid-to", join(scratch.dir, "deployed")],
    );
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stderr).toContain("notice: Unknown containers.bootc value: 2\n");
    const commit = await readFile(join(scratch.dir, "deployed"), "utf8");
    const origin = join(sysroot, `ostree/deploy/default/deploy/${commit}.0.origin`);
    expect(await readFile(origin, "utf8")).toContain(`container-image-reference=${target}`);
    // Called `ostree-1-default.conf` before 2024.5, `ostree-1.conf` since.
    const entries = join(sysroot, "boot/loader/entries");
    const [entry = "", ...more] = await readdir(entries);
    expect(more).toEqual([]);
    expect(await readFile(join(entries, entry), "utf8")).toMatch(
      /^options root=LABEL=x quiet ostree=\S+ console=ttyS0$/m,
    );
  });
});
