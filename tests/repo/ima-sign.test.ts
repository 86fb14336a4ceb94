// IMA signatures: evmctl makes them, ostree stores them, and evmctl accepts them on the files that ostree checks out.
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeEachOstree, machineOstree } from "./ostree-versions.ts";
import { bootc, makeScratch, ostree, type Scratch } from "./program.ts";

const FILES = ["bin/tool", "bin/su", "lib/empty", "lib/large", "lib/ümläut"];

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** A private key, and the certificate that evmctl checks signatures with. */
function makeKey(dir: string, name: string) {
  const [key, certificate] = [join(dir, `${name}.pem`), join(dir, `${name}.der`)];
  run("openssl", "genrsa", "-out", key, "2048");
  const subject = ["-subj", `/CN=${name}`, "-outform", "DER", "-out", certificate];
  run("openssl", "req", "-new", "-x509", "-key", key, ...subject);
  return { key, certificate };
}

describeEachOstree(({ version }) => {
  let scratch: Scratch;
  let keys: Record<"own" | "other", ReturnType<typeof makeKey>>;
  beforeAll(async () => {
    scratch = await makeScratch();
    keys = { own: makeKey(scratch.dir, "own"), other: makeKey(scratch.dir, "other") };
    const script = `mkdir -p usr/bin usr/lib && cd usr && echo tool >bin/tool && cp bin/tool bin/same
      echo su >bin/su && chmod 4755 bin/su && : >lib/empty && yes | head -c 3000000 >lib/large
      echo u >lib/ümläut && ln -s tool bin/link && setfattr -n user.kept -v 1 bin/tool`;
    run("sh", "-c", `mkdir ${scratch.dir}/tree && cd ${scratch.dir}/tree && ${script}`);
  });
  afterAll(() => scratch?.remove());

  const commit = (mode: string, name = mode) => {
    const repo = join(scratch.dir, name);
    ostree("init", `--repo=${repo}`, `--mode=${mode}`);
    const how = ["--subject=a subject", "--body=a body", "--add-metadata-string=version=42"];
    const tree = `--tree=dir=${scratch.dir}/tree`;
    ostree("commit", `--repo=${repo}`, "--branch=os/plain", ...how, tree);
    return repo;
  };
  const sign = async (repo: string, ...words: readonly string[]) =>
    await bootc(["internals", "ostree-ext", "ima-sign", "--repo", repo, ...words]);
  const revision = (repo: string, ref: string) => ostree("rev-parse", `--repo=${repo}`, ref).trim();

  test.each(["bare", "archive"])("every file of a commit in %s gets a signature", async (mode) => {
    const repo = commit(mode);
    const ended = await sign(repo, "os/plain", "os/signed", "sha256", keys.own.key);
    const signed = revision(repo, "os/signed");
    expect(ended).toMatchObject({ status: 0, stdout: `os/signed => ${signed}\n` });
    ostree("fsck", "--quiet", `--repo=${repo}`);
    const show = (ref: string) => ostree("show", `--repo=${repo}`, ref).split("\n").slice(2);
    expect(show("os/signed")).toEqual(show("os/plain"));

    const out = join(scratch.dir, `out-${mode}`);
    ostree("checkout", `--repo=${repo}`, "os/signed", out);
    for (const it of FILES) {
      run("evmctl", "ima_verify", "--key", keys.own.certificate, join(out, "usr", it));
    }
    const diff = ["--recursive", "--no-dereference", join(scratch.dir, "tree"), out];
    run("diff", ...diff);
    const files = ostree("ls", "-R", "-X", `--repo=${repo}`, "os/signed", "/usr/bin");
    expect(files).toMatch(/^-04755 .*security\.ima.* \/usr\/bin\/su$/m);
    expect(files).toMatch(/security\.ima.*user\.kept.* \/usr\/bin\/tool$/m);
    expect(readdirSync(join(repo, "tmp"))).toEqual(["cache"]);
  });

  // What follows is up to us alone.
  if (version !== machineOstree().version) return;

  let repo: string;
  beforeAll(async () => {
    repo = commit("bare", "signed");
    const ended = await sign(repo, "os/plain", "os/signed", "sha256", keys.own.key);
    expect(ended).toMatchObject({ status: 0 });
  });

  test("signatures that are there stay, unless replaced", async () => {
    await sign(repo, "os/signed", "os/again", "sha256", keys.other.key);
    expect(revision(repo, "os/again")).toBe(revision(repo, "os/signed"));
    await sign(repo, "--overwrite", "os/signed", "os/other", "sha256", keys.other.key);
    const out = join(scratch.dir, "out-other");
    ostree("checkout", `--repo=${repo}`, "os/other", out);
    const verify = (key: string) =>
      spawnSync("evmctl", ["ima_verify", "--key", key, join(out, "usr/bin/su")], {
        encoding: "utf8",
      }).stderr;
    expect(verify(keys.other.certificate)).toContain("verification is OK");
    expect(verify(keys.own.certificate)).not.toContain("verification is OK");
    rmSync(out, { recursive: true });
  });

  describe("nothing is changed", () => {
    const refused = async (...words: readonly string[]) => {
      const before = ostree("refs", `--repo=${repo}`);
      const { status, stderr } = await sign(repo, ...words);
      expect(ostree("refs", `--repo=${repo}`)).toBe(before);
      expect(readdirSync(join(repo, "tmp"))).toEqual(["cache"]);
      return `${status} ${stderr}`;
    };

    test("for a digest algorithm that evmctl does not know", async () => {
      const said = await refused("os/plain", "os/x", "sha257", keys.own.key);
      expect(said).toMatch(/^1 error: `evmctl .*` failed with status \d+: .*sha257/);
    });

    test("for a file that does not contain a key", async () => {
      const path = join(scratch.dir, "text");
      writeFileSync(path, "text\n");
      expect(await refused("os/plain", "os/x", "sha256", path)).toMatch(
        /^1 error: `evmctl .* failed/,
      );
    });

    test("for a key that is missing, and for a commit that is missing", async () => {
      expect(await refused("os/plain", "os/x", "sha256", "/nowhere/key")).toMatch(
        /^2 error: the key `\/nowhere\/key` cannot be read: /,
      );
      expect(await refused("nothing", "os/x", "sha256", keys.own.key)).toMatch(
        /^2 error: `nothing` does not name a commit/,
      );
    });
  });
});
