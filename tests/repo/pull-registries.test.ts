// Sources of images: registries with and without TLS and passwords, mirrors, proxies, local formats.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startConnectProxy } from "./faulty-proxy.ts";
import { createRandom, randomBytes } from "./images/random.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import { bootc, makeScratch, ostree, pullArgs, type Scratch, skopeo } from "./program.ts";
import { blobRequests, type Registry, startRegistry, USER } from "./registry.ts";
import { type MadeImage, makeTinyImage, makeTinyIndex, type TinyImage } from "./tiny-image.ts";

const INSECURE = "--insecure-skip-tls-verification";
const LARGE = randomBytes(createRandom(1), 300_000);
const CONTENT: TinyImage = {
  layers: [{ "/usr/bin/a": "a" }, { "/usr/lib/b": LARGE, "/etc/b": "b" }],
};

describeEachOstree(() => {
  let scratch: Scratch;
  let open: Registry;
  let layout: string;
  let image: MadeImage;

  beforeAll(async () => {
    scratch = await makeScratch();
    open = await startRegistry();
    layout = join(scratch.dir, "image");
    await mkdir(layout);
    image = await makeTinyImage(layout, "os", CONTENT);
    push(open, "os:latest");
  });
  afterAll(async () => {
    await open?.stop();
    await scratch?.remove();
  });

  function push({ address }: Registry, name: string, ...more: readonly string[]): void {
    const target = `docker://${address}/${name}`;
    skopeo("copy", "-q", `oci:${layout}:os`, target, "--dest-tls-verify=false", ...more);
  }

  /** Checks that the pull of `reference` has stored the right image completely. */
  async function expectPulled(
    repo: string,
    reference: string,
    ended: { stdout: string; stderr: string },
  ) {
    expect(ended).toMatchObject({ status: 0 });
    const [, commit] = /^Wrote: \S+ => ([0-9a-f]{64})$/m.exec(ended.stdout) ?? [];
    expect(
      ostree("show", `--repo=${repo}`, "--print-metadata-key=ostree.manifest-digest", commit ?? ""),
    ).toContain(image.manifestDigest);
    expect(ostree("cat", `--repo=${repo}`, commit ?? "", "/usr/etc/b")).toBe("b");
    ostree("fsck", `--repo=${repo}`, "--quiet");
    expect(reference).not.toBe("");
  }

  test("a skopeo that can is told who asks the registry", async () => {
    const bin = join(scratch.dir, "bin");
    const said = join(scratch.dir, "said");
    await mkdir(bin, { recursive: true });
    const text =
      `#!/bin/sh\necho "$*" >> ${said}\n` +
      '[ "$*" = --version ] && { echo skopeo version 1.22.0; exit; }\n' +
      // The machine's own may be older.
      `for word; do shift; case $word in --user-agent-prefix=*) ;; *) set -- "$@" "$word" ;; esac; done\n` +
      `PATH=\${PATH#*:} exec skopeo "$@"\n`;
    await writeFile(join(bin, "skopeo"), text, { mode: 0o755 });
    const env = { PATH: `${bin}:${process.env.PATH}` };
    const reference = `ostree-unverified-registry:${open.address}/os`;
    // Without the C library, skopeo is asked by inspect and copy alone.
    const ended = await bootc(pullArgs(scratch.repo(), reference, INSECURE), {
      env: { ...env, BOOTC_WITHOUT_FFI: "1" },
    });
    expect(ended).toMatchObject({ status: 0 });
    const copies = (await readFile(said, "utf8")).split("\n").filter((it) => / copy /.test(it));
    expect(copies).toHaveLength(1);
    for (const it of copies) expect(it).toMatch(/ --user-agent-prefix=bootc\/[0-9]\S* /);
  });

  test("a second pull of the same image changes nothing and fetches no blob", async () => {
    const repo = scratch.repo();
    const reference = `ostree-unverified-registry:${open.address}/os`;
    await expectPulled(repo, reference, await bootc(pullArgs(repo, reference, INSECURE)));
    await open.requests();
    const refs = () => ostree("refs", `--repo=${repo}`, "--list", "ostree");
    const before = refs();
    const again = await bootc(pullArgs(repo, reference, INSECURE));
    expect(again).toMatchObject({ status: 0, stderr: "" });
    expect(again.stdout).toMatch(
      /^No changes in ostree-unverified-registry:\S+ => [0-9a-f]{64}\n$/,
    );
    expect(blobRequests(await open.requests())).toEqual([]);
    expect(refs()).toBe(before);
  });

  test("of an image that shares layers, even recompressed ones, only the others are fetched", async () => {
    const repo = scratch.repo();
    const reference = `ostree-unverified-registry:${open.address}`;
    await bootc(pullArgs(repo, `${reference}/os`, INSECURE));
    const dir = join(scratch.dir, "next");
    await mkdir(dir);
    const next = await makeTinyImage(dir, "os", {
      layers: [...CONTENT.layers, { "/usr/lib/new": "new" }],
      level: 9,
    });
    skopeo(
      "copy",
      "-q",
      `oci:${dir}:os`,
      `docker://${open.address}/next`,
      "--dest-tls-verify=false",
    );
    await open.requests();
    const ended = await bootc(pullArgs(repo, `${reference}/next`, INSECURE));
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stdout).toContain("layers already present: 2; layers needed: 1 ");
    const asked = blobRequests(await open.requests()).join("\n");
    expect(next.layerDigests.map((it) => asked.includes(it))).toEqual([false, false, true]);
  });

  test("a private authority's certificate is enough; without it the pull fails as network", async () => {
    const registry = await startRegistry({ hasTls: true });
    try {
      push(registry, "os");
      const repo = scratch.repo();
      const reference = `ostree-unverified-registry:${registry.address}/os`;
      const args = pullArgs(repo, reference, "--cert-dir", registry.certDir);
      await expectPulled(repo, reference, await bootc(args));
      const refused = await bootc(pullArgs(scratch.repo(), reference));
      expect(refused).toMatchObject({ status: 4 });
      expect(refused.stderr).toContain("x509");
    } finally {
      await registry.stop();
    }
  });

  test("credentials are read from a given file, and from ostree's own by its search order", async () => {
    const registry = await startRegistry({ hasPassword: true });
    try {
      push(registry, "os", `--dest-creds=${USER.name}:${USER.password}`);
      const reference = `ostree-unverified-registry:${registry.address}/os`;
      const file = join(scratch.dir, "auth.json");
      const auth = Buffer.from(`${USER.name}:${USER.password}`).toString("base64");
      await writeFile(file, JSON.stringify({ auths: { [registry.address]: { auth } } }));
      const repo = scratch.repo();
      const given = await bootc(pullArgs(repo, reference, INSECURE, "--authfile", file));
      await expectPulled(repo, reference, given);

      // In a mount namespace of its own, so that the machine's files stay as they are.
      const wrong = join(scratch.dir, "empty-auth.json");
      await writeFile(wrong, "{}");
      const script =
        "mount -t tmpfs none /run && mkdir -p /run/ostree /etc/ostree && mount -t tmpfs none /etc/ostree && " +
        `cp ${file} /run/ostree/auth.json && cp ${wrong} /etc/ostree/auth.json && exec "$@"`;
      const found = scratch.repo();
      const ended = await bootc(pullArgs(found, reference, INSECURE), {
        before: ["unshare", "--mount", "sh", "-ec", script, "sh"],
      });
      await expectPulled(found, reference, ended);
    } finally {
      await registry.stop();
    }
  });

  test("a mirror in registries.conf is asked instead", async () => {
    const repo = scratch.repo();
    // skopeo takes a user's own file for the whole configuration.
    const home = join(scratch.dir, "home");
    await mkdir(join(home, ".config/containers"), { recursive: true });
    await writeFile(
      join(home, ".config/containers/registries.conf"),
      '[[registry]]\nlocation = "registry.test"\n' +
        `[[registry.mirror]]\nlocation = "${open.address}"\ninsecure = true\n`,
    );
    const reference = "ostree-unverified-registry:registry.test/os";
    const ended = await bootc(pullArgs(repo, reference), {
      env: { HOME: home },
    });
    await expectPulled(repo, reference, ended);
  });

  test("a proxy in HTTPS_PROXY carries all traffic", async () => {
    const registry = await startRegistry({ hasTls: true });
    const proxy = await startConnectProxy(registry.address);
    try {
      push(registry, "os");
      const repo = scratch.repo();
      const reference = "ostree-unverified-registry:registry.test/os";
      const ended = await bootc(pullArgs(repo, reference, "--cert-dir", registry.certDir), {
        env: { HTTPS_PROXY: `http://${proxy.address}`, NO_PROXY: "" },
      });
      await expectPulled(repo, reference, ended);
      expect(new Set(proxy.asked)).toEqual(new Set(["registry.test:443"]));
    } finally {
      await proxy.stop();
      await registry.stop();
    }
  });

  test("by digest, the same image is stored under that name, and requested once", async () => {
    const repo = scratch.repo();
    const reference = `ostree-unverified-registry:${open.address}/os:latest@${image.manifestDigest}`;
    await expectPulled(repo, reference, await bootc(pullArgs(repo, reference, INSECURE)));
    const list = await bootc(["internals", "ostree-container", "image", "list", "--repo", repo]);
    expect(list.stdout).toBe(`docker://${open.address}/os@${image.manifestDigest}\n`);
    await open.requests();
    const again = await bootc(pullArgs(repo, reference, INSECURE));
    expect(again.stdout).toMatch(/^No changes in /);
    expect(await open.requests()).toEqual([]);
  });

  test("from an index, in a registry or in a layout, this machine's image is pulled", async () => {
    const dir = join(scratch.dir, "index");
    await mkdir(dir);
    const other = process.arch === "x64" ? "arm64" : "amd64";
    const own = process.arch === "x64" ? "amd64" : "arm64";
    const { images } = await makeTinyIndex(dir, "os", [
      { layers: [{ "/usr/bin/other": "other" }], architecture: other },
      { ...CONTENT, architecture: own, created: "2026-02-02T00:00:00Z" },
    ]);
    const target = `docker://${open.address}/multi`;
    skopeo("copy", "-q", "--all", `oci:${dir}:os`, target, "--dest-tls-verify=false");
    for (const reference of [
      `ostree-unverified-registry:${open.address}/multi`,
      `ostree-unverified-image:oci:${dir}:os`,
    ]) {
      const repo = scratch.repo();
      const ended = await bootc(pullArgs(repo, reference, INSECURE));
      expect(ended).toMatchObject({ status: 0 });
      const file = join(scratch.dir, "manifest.json");
      const [, commit = ""] = /=> ([0-9a-f]{64})/.exec(ended.stdout) ?? [];
      const stored = ostree(
        "show",
        `--repo=${repo}`,
        "--print-metadata-key=ostree.manifest-digest",
        commit,
      );
      expect(stored).toContain(images[1]?.manifestDigest);
      const again = await bootc(pullArgs(repo, reference, INSECURE, "--check", file));
      expect(again.stdout).toMatch(/^No changes in /);
    }
  });

  test("--check writes the manifest of an update and fetches nothing", async () => {
    const repo = scratch.repo();
    const file = join(scratch.dir, "new.json");
    await open.requests();
    const reference = `ostree-unverified-registry:${open.address}/os`;
    const ended = await bootc(pullArgs(repo, reference, INSECURE, "--check", file));
    expect(ended).toMatchObject({ status: 0 });
    const manifest = JSON.parse(await readFile(file, "utf8"));
    expect(manifest.layers.map((it: { digest: string }) => it.digest)).toEqual(image.layerDigests);
    expect(blobRequests(await open.requests()).join()).not.toContain(image.layerDigests[1]);
    expect(ostree("refs", `--repo=${repo}`)).toBe("");
  });

  test.each(["oci", "oci-archive", "dir", "docker-archive", "docker schema 2"])(
    "an image in the form %s becomes a commit with the same files",
    async (form) => {
      const repo = scratch.repo();
      const path = join(scratch.dir, `form-${form.replaceAll(" ", "-")}`);
      const transport = form === "docker schema 2" ? "dir" : form;
      const name = transport === "oci" || transport === "oci-archive" ? `${path}:os` : path;
      const format =
        form === "docker schema 2" || form === "docker-archive" ? ["--format=v2s2"] : [];
      skopeo("copy", "-q", ...format, `oci:${layout}:os`, `${transport}:${name}`);
      const ended = await bootc(pullArgs(repo, `ostree-unverified-image:${transport}:${name}`));
      expect(ended).toMatchObject({ status: 0 });
      const [, commit = ""] = /=> ([0-9a-f]{64})/.exec(ended.stdout) ?? [];
      expect(ostree("cat", `--repo=${repo}`, commit, "/usr/etc/b")).toBe("b");
      ostree("fsck", `--repo=${repo}`, "--quiet");
    },
  );

  test("an image of local storage keeps the digests it had in its registry", async () => {
    const repo = scratch.repo();
    const store = `[overlay@${scratch.dir}/storage+${scratch.dir}/run]`;
    const stored = `containers-storage:${store}localhost/os:latest`;
    skopeo("copy", "-q", "--src-tls-verify=false", `docker://${open.address}/os`, stored);
    const reference = `ostree-unverified-image:${stored}`;
    await expectPulled(repo, reference, await bootc(pullArgs(repo, reference)));
    const blobs = ostree("refs", `--repo=${repo}`, "--list", "ostree/container/blob");
    for (const it of image.layerDigests) expect(blobs).toContain(it.slice("sha256:".length));
  });
});
