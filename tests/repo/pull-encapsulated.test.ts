// Pulling images with an ostree commit inside, alone and with layers on top, through the command line.
import { execFileSync } from "node:child_process";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testThroughDoor } from "./door.ts";
import { encapsulatedTars } from "./images/encapsulate.ts";
import { craftedPolicy } from "./images/selinux-policy.ts";
import { dir, file, makeTar } from "./images/tar-writer.ts";
import { ostreeVersions } from "./ostree-versions.ts";
import { bootc, makeScratch, pullArgs, type Scratch } from "./program.ts";
import { contextWith, createTestRepo, digestOf, importBlob, type TestRepo } from "./test-repo.ts";
import { makeTinyImage } from "./tiny-image.ts";

const BASE = makeTar([
  dir("."),
  dir("usr"),
  dir("usr/bin"),
  file("usr/bin/a", "a", { mode: 0o755, xattrs: { "user.x": "1", "user.a": "2" } }),
  file("usr/bin/b", "b"),
  dir("usr/etc"),
  file("usr/etc/c", "c"),
  file("usr/lib-empty"),
]);

describe.each(ostreeVersions())("with ostree $version", (version) => {
  let scratch: Scratch;
  let source: TestRepo;
  let target: TestRepo;
  let base: string;
  let tars: readonly Buffer[];

  beforeEach(async () => {
    scratch = await makeScratch();
    source = createTestRepo(version);
    target = createTestRepo(version);
    const { commit: tree } = await importBlob(source, BASE);
    base = source.ostree("commit", "--branch=base", `--tree=ref=${tree}`, "--subject=base");
    const { commitLayer, chunks } = encapsulatedTars(source, base, {
      style: "newest",
      chunkCount: 3,
    });
    tars = [commitLayer, ...chunks];
  });
  afterEach(async () => {
    source.remove();
    target.remove();
    await scratch.remove();
  });

  async function makeImage(name: string, layers: Parameters<typeof makeTinyImage>[2]["layers"]) {
    const top = join(scratch.dir, name);
    await mkdir(top);
    const last = tars.at(-1) ?? Buffer.alloc(0);
    const labels = { "ostree.final-diffid": digestOf(last), "ostree.commit": base };
    await makeTinyImage(top, "os", { layers: [...tars, ...layers], labels });
    return `ostree-unverified-image:oci:${top}:os`;
  }

  const env = { ...version.env };
  const image = (...words: string[]) => bootc(["internals", "ostree-container", ...words], { env });

  test("the commit is stored unchanged, under the requested ref", async () => {
    const reference = await makeImage("alone", []);
    const words = ["--repo", target.repo, "--write-ref", "os/new", reference];
    const ended = await image("unencapsulate", ...words);
    expect(ended).toMatchObject({ status: 0, stdout: `Imported: os/new => ${base}\n` });
    expect(target.ostree("rev-parse", "os/new")).toBe(base);
    expect(target.ostree("refs")).toBe("os/new");
    target.ostree("fsck", "--quiet");
  });

  test("a layer on top is merged, an update fetches only that layer, and the base stays the parent", async () => {
    const first = await makeImage("first", [{ "/usr/lib/derived": "1", "/etc/d": "d" }]);
    const pulled = await bootc(pullArgs(target.repo, first), { env });
    expect(pulled).toMatchObject({ status: 0 });
    const [, commit = ""] = /=> ([0-9a-f]{64})/.exec(pulled.stdout) ?? [];
    expect(target.ostree("rev-parse", `${commit}^`)).toBe(base);
    expect(target.ostree("cat", commit, "/usr/etc/d", "/usr/bin/a")).toBe("da");
    target.ostree("fsck", "--quiet");

    const second = await makeImage("second", [{ "/usr/lib/derived": "2" }]);
    const updated = await bootc(pullArgs(target.repo, second), { env });
    expect(updated).toMatchObject({ status: 0 });
    expect(updated.stdout).toContain("layers already present: 4; layers needed: 1 ");
    target.ostree("fsck", "--quiet");
  });

  testThroughDoor(
    "layers over a labelled base are labelled without a checkout or a commit by ostree",
    async () => {
      const policy = Object.entries(craftedPolicy());
      const entries = [
        ...[dir("."), dir("usr/bin"), file("usr/bin/exact", "exact", { mode: 0o755 })],
        ...policy.map(([path, text]) => file(`usr/etc/selinux/${path}`, text)),
      ];
      const { commit: tree } = await importBlob(source, makeTar(entries));
      const root = join(source.work, "root");
      source.ostree("checkout", tree, root);
      const words = ["--orphan", "--no-bindings", `--selinux-policy=${root}`];
      base = source.ostree("commit", ...words, `--tree=dir=${root}`);
      const encapsulated = encapsulatedTars(source, base, { style: "newest", chunkCount: 2 });
      tars = [encapsulated.commitLayer, ...encapsulated.chunks];

      const refusal = 'case "$1" in checkout|commit) exit 99;; esac';
      const { PATH = "" } = contextWith(version, target, refusal).env;
      for (const name of ["first", "second"]) {
        const reference = await makeImage(name, [{ "/usr/bin/local": name, "/etc/x.conf": name }]);
        const pulled = await bootc(pullArgs(target.repo, reference), { env: { ...env, PATH } });
        expect(pulled).toMatchObject({ status: 0 });
        const [, commit = ""] = /=> ([0-9a-f]{64})/.exec(pulled.stdout) ?? [];
        const lines = target.ostree("ls", "-R", "-X", commit);
        expect(lines).toMatch(/:exact_t:[^\n]*\/usr\/bin\/exact$/m);
        expect(lines).toMatch(/:local_t:[^\n]*\/usr\/bin\/local$/m);
        const layers = target.ostree("refs", "--list", "ostree/container/blob").split("\n");
        const listed = layers.map((it) => target.ostree("ls", "-R", "-X", it));
        expect(listed.filter((it) => /:local_t:[^\n]*\/local$/m.test(it)).length).toBeGreaterThan(
          0,
        );
      }
      target.ostree("fsck", "--quiet");
    },
  );

  test("the next pull completes chunks that lost an object to ostree's fsck", async () => {
    const reference = await makeImage("damaged", [{ "/usr/lib/derived": "1" }]);
    const pulled = await bootc(pullArgs(target.repo, reference), { env });
    for (const path of ["/usr/bin/a", "/usr/bin/b", "/usr/etc/c"]) {
      const [checksum = ""] = /[0-9a-f]{64}/.exec(target.ostree("ls", "-C", base, path)) ?? [];
      const object = join(target.repo, `objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.file`);
      await appendFile(object, "x");
    }
    expect(() => target.ostree("fsck", "--delete", "--quiet")).toThrow();
    const mended = await bootc(pullArgs(target.repo, reference), { env });
    expect(mended).toMatchObject({ status: 0 });
    expect(mended.stdout.split("\n").at(-2)).toBe(pulled.stdout.split("\n").at(-2));
    const third = await bootc(pullArgs(target.repo, reference), { env });
    expect(third).toMatchObject({ status: 0, stdout: expect.stringMatching(/^No changes in /) });
    target.ostree("prune", "--refs-only");
    target.ostree("fsck", "--quiet");
  });

  test("an image is refused unless an ostree remote's keys verify its commit", async () => {
    const home = join(scratch.dir, "gnupg");
    await mkdir(home, { mode: 0o700 });
    const gpg = (...args: string[]) =>
      execFileSync("gpg", ["--batch", `--homedir=${home}`, ...args], { stdio: "pipe" });
    gpg("--quick-gen-key", "--passphrase", "", "test@example.com", "default", "default", "never");
    await writeFile(join(scratch.dir, "key.gpg"), gpg("--export"));
    target.ostree(
      ...["remote", "add", "keys", "https://example.com", "--set=gpg-verify=true"],
      `--gpg-import=${join(scratch.dir, "key.gpg")}`,
    );
    const reference = (await makeImage("unsigned", [])).replace(
      "ostree-unverified-image:",
      "ostree-remote-image:keys:",
    );
    const unsigned = await bootc(pullArgs(target.repo, reference), { env });
    expect(unsigned).toMatchObject({ status: 7 });
    expect(target.ostree("refs", "--list", "ostree")).toBe("");

    source.ostree("gpg-sign", `--gpg-homedir=${home}`, base, "test@example.com");
    execFileSync("gpgconf", ["--homedir", home, "--kill", "gpg-agent"]);
    const { commitLayer, chunks } = encapsulatedTars(source, base, {
      style: "newest",
      chunkCount: 1,
    });
    tars = [commitLayer, ...chunks];
    const signed = (await makeImage("signed", [])).replace(
      "unverified-image:",
      "remote-image:keys:",
    );
    expect(await bootc(pullArgs(target.repo, signed), { env })).toMatchObject({ status: 0 });

    const layered = await makeImage("layered", [{ "/usr/x": "x" }]);
    const refused = await bootc(
      pullArgs(target.repo, layered.replace("unverified-image:", "remote-image:keys:")),
      { env },
    );
    expect(refused).toMatchObject({ status: 7 });
  });

  test("a commit other than the one that the label names is refused", async () => {
    const top = join(scratch.dir, "wrong");
    await mkdir(top);
    const labels = {
      "ostree.final-diffid": digestOf(tars.at(-1) ?? Buffer.alloc(0)),
      "ostree.commit": "0".repeat(64),
    };
    await makeTinyImage(top, "os", { layers: tars, labels });
    const reference = `ostree-unverified-image:oci:${top}:os`;
    const ended = await bootc(pullArgs(target.repo, reference), { env });
    expect(ended).toMatchObject({ status: 6 });
    expect(target.ostree("refs", "--list", "ostree")).toBe("");
  });
});
