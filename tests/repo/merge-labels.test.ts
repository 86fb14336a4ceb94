// Labels that we give to a merged tree and to layers equal, object by object, those that ostree gives.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readDerivedSettings } from "../../src/pull/import/settings.ts";
import { createLabelSource } from "../../src/pull/labels/lookups.ts";
import { commitImage } from "../../src/pull/merge/commit.ts";
import { mergeLayers } from "../../src/pull/merge/merge.ts";
import { readCommit } from "../../src/repository/files.ts";
import { isDoorShut } from "./door.ts";
import { CAPABILITY } from "./images/derived.ts";
import { createRandom, randomBytes } from "./images/random.ts";
import { craftedPolicy, selinuxPolicy } from "./images/selinux-policy.ts";
import { dir, file, hardlink, makeTar, symlink, type TestEntry } from "./images/tar-writer.ts";
import { describeEachOstree, machineOstree } from "./ostree-versions.ts";
import { contextWith, createTestRepo, importBlob, rootsOf, type TestRepo } from "./test-repo.ts";

const OLD = "build_u:object_r:old_t:s0\0";
const old = { xattrs: { "security.selinux": OLD } };

type PolicyFiles = Readonly<Record<string, string | Buffer>>;

/** Entries for the files of `etc/selinux`. */
function policyEntries(files: PolicyFiles): readonly TestEntry[] {
  return [
    dir("etc"),
    ...Object.entries(files).map(([path, text]) => file(`etc/selinux/${path}`, text)),
  ];
}

/** With paths for all rules of the crafted policy, and labels of a build host. */
const SYSTEM: readonly TestEntry[] = [
  dir("."),
  dir("usr"),
  dir("usr/bin"),
  file("usr/bin/exact", "exact", { mode: 0o755 }),
  file("usr/bin/local", "local", { mode: 0o4755 }),
  file("usr/bin/ping", "ping", { xattrs: { "security.capability": CAPABILITY } }),
  file("usr/bin/empty"),
  hardlink("usr/bin/also", "usr/bin/exact"),
  hardlink("usr/share/exact", "usr/bin/exact"),
  dir("usr/sbin", { mode: 0o750, uid: 3, gid: 4 }),
  file("usr/sbin/x", randomBytes(createRandom(7), 3 << 20), old),
  symlink("usr/lib/a.so", "x/a.so.1.2", { uid: 5 }),
  file("usr/lib/x/a.so.1.2", "lib", { uid: 70_000, gid: 6 }),
  dir("usr/lib/modules/6.1"),
  file("usr/lib64/x/a.so", "lib"),
  dir("usr/tmp", { mode: 0o1777, ...old }),
  file("usr/tmp/unlabelled"),
  file("usr/tmp/old", "x", old),
  file("usr/tmp/kept", "x", old),
  file("usr/share/a.cfg"),
  dir("usr/share/a.cfg.d"),
  file("usr/share/\u00fcber", "x"),
  file("usr/share/with space", "x"),
  file("etc/shadow", "root:*", { mode: 0 }),
  file("etc/shadow.d/x"),
  file("etc/x.conf"),
  file("home/me/.ssh/own", "x"),
  file("home/me/.ssh/other", "x"),
  file("opt/vendor/x/b.so", "x"),
  file("srv/home/me/x", "x"),
  dir("mnt"),
  dir("proc"),
  dir("run/named"),
];

const MORE: readonly TestEntry[] = [
  dir("usr"),
  dir("usr/bin"),
  file("usr/bin/more", "more"),
  file("usr/bin/.wh.empty"),
  file("usr/lib/x/so", "so"),
  file("etc/y.conf", "y"),
];

const hasCompiler = spawnSync("sefcontext_compile", []).error === undefined;

/** The crafted policy with compiled forms that differ from the texts: of the same age, libselinux takes them. */
function compiledPolicy(): PolicyFiles {
  const work = mkdtempSync(join(tmpdir(), "compiled-"));
  try {
    const files: Record<string, string | Buffer> = { ...craftedPolicy() };
    for (const name of ["file_contexts", "file_contexts.homedirs"]) {
      const path = `test/contexts/files/${name}`;
      mkdirSync(dirname(join(work, path)), { recursive: true });
      writeFileSync(join(work, path), String(files[path]).replaceAll("_t:s0", "_compiled_t:s0"));
      execFileSync("sefcontext_compile", [join(work, path)]);
      files[`${path}.bin`] = readFileSync(join(work, `${path}.bin`));
    }
    return files;
  } finally {
    rmSync(work, { recursive: true });
  }
}

const CONTEXTS = "test/contexts/files/file_contexts";

describeEachOstree((ostree) => {
  let it: TestRepo;
  beforeEach(() => {
    it = createTestRepo(ostree);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    it.remove();
  });

  async function addLayers(layers: readonly (readonly TestEntry[])[]): Promise<string[]> {
    const derived: string[] = [];
    for (const layer of layers) derived.push((await importBlob(it, makeTar(layer))).commit);
    return derived;
  }

  /** By an ostree that refuses to check anything out or commit it, unless the door is shut. */
  async function commitLayers(derived: readonly string[], name = "os", base?: string) {
    const isShut = Boolean(process.env.BOOTC_WITHOUT_FFI);
    const refusing = contextWith(ostree, it, 'case "$1" in checkout|commit) exit 99;; esac');
    const merged = await mergeLayers({ repo: it.repo, base, derived });
    const { commit } = await commitImage(isShut ? it.ctx : refusing, {
      repo: it.repo,
      base,
      derived,
      merged,
      reference: `docker://example.com/${name}:1`,
      layers: [],
      manifestDigest: "sha256:12",
      manifest: "{}",
      config: "{}",
      createdEpoch: 0,
      importerVersion: "test",
    });
    return commit;
  }

  /** A checkout of all layers, committed with the policy in it. */
  function stockLabelled(derived: readonly string[]): string {
    const top = mkdtempSync(join(it.repo, "tmp", "stock-"));
    const root = join(top, "root");
    for (const layer of derived) it.ostree("checkout", "--union", "--whiteouts", layer, root);
    const words = ["--orphan", "--no-bindings", `--selinux-policy=${root}`];
    const commit = it.ostree("commit", ...words, `--tree=dir=${root}`);
    rmSync(top, { recursive: true });
    return commit;
  }

  /** Every path with its mode, owner, attributes and checksums. */
  const list = (commit: string) => it.ostree("ls", "-R", "-X", "-C", commit);

  async function expectAsStock(layers: readonly (readonly TestEntry[])[]): Promise<string> {
    const derived = await addLayers(layers);
    const commit = await commitLayers(derived);
    const stock = stockLabelled(derived);
    expect(list(commit)).toBe(list(stock));
    expect(rootsOf(it, commit)).toEqual(rootsOf(it, stock));
    it.ostree("fsck", "--quiet");
    return commit;
  }

  describe.each([
    { way: "by ourselves", shut: undefined },
    { way: "by ostree", shut: "1" },
  ])("$way", ({ shut }) => {
    beforeEach(() => {
      vi.stubEnv("BOOTC_WITHOUT_FFI", shut);
    });

    test("all features of a policy", async () => {
      const commit = await expectAsStock([[...SYSTEM, ...policyEntries(craftedPolicy())], MORE]);
      const lines = list(commit);
      for (const [type, path] of [
        ["exact_t", "usr/bin/exact"],
        ["bin_t", "usr/bin/also"],
        ["usr_t", "usr/share/exact"],
        ["local_t", "usr/bin/local"],
        ["shlib_t", "usr/lib64/x/a.so"],
        ["own_t", "home/me/.ssh/own"],
        ["modules_t", "usr/lib/modules/6.1"],
        ["old_t", "usr/tmp/old"],
        ["kept_t", "usr/tmp/kept"],
        ["mnt_t", "proc"],
      ]) {
        expect(lines).toMatch(new RegExp(`object_r:${type}:s0[^\\n]*/${path}$`, "m"));
      }
      expect(lines).toMatch(/\[\] \} \/usr\/tmp\/unlabelled$/m);
    });

    test("the policy of Debian", async () => {
      await expectAsStock([[...SYSTEM, ...selinuxPolicy("etc")], MORE]);
    });

    // That of other versions may not suit the compiler.
    const isMachines = ostree.version === machineOstree().version;
    test.skipIf(!hasCompiler || !isMachines)("a compiled policy", async () => {
      const commit = await expectAsStock([[...SYSTEM, ...policyEntries(compiledPolicy())]]);
      expect(list(commit)).toMatch(/bin_compiled_t/);
    });

    test("a policy that is switched off changes nothing", async () => {
      const config = "SELINUX=disabled\nSELINUXTYPE=test\n";
      const files = { ...craftedPolicy(), config };
      const commit = await expectAsStock([[...SYSTEM, ...policyEntries(files)]]);
      expect(list(commit)).not.toContain("system_u");
    });

    test("a policy changed by the highest layer", async () => {
      const config = "SELINUX=permissive\nSELINUXTYPE=other\n";
      const other = {
        config,
        "other/policy/policy.31": "",
        "other/contexts/files/file_contexts": "/.*\tother_u:object_r:other_t:s0\n",
      };
      const first = [...SYSTEM, ...policyEntries(craftedPolicy())];
      const commit = await expectAsStock([first, policyEntries(other)]);
      expect(list(commit)).not.toContain("system_u");
    });

    test.each<{ what: string; files: PolicyFiles; message: RegExp }>([
      {
        what: "with a line that is not a rule",
        files: { [CONTEXTS]: "\u001b[31mgarbage\n" },
        message: /SELinux policy|selabel_open/,
      },
      {
        what: "without a rule for the root",
        files: { [CONTEXTS]: "/etc\tsystem_u:object_r:etc_t:s0\n" },
        message: /SELinux policy|context of \//,
      },
      {
        what: "with a regular expression that does not compile",
        files: { [CONTEXTS]: "/.*\ta:b:c_t:s0\n/usr/bin/(((\ta:b:d_t:s0\n" },
        message: /SELinux policy|selabel_lookup/,
      },
      {
        what: "without the policy itself",
        files: { "test/policy/.wh.policy.33": "" },
        message: /SELinux policy|SELinux checksum/,
      },
    ])("a policy $what is refused", async ({ files, message }) => {
      const system = [file("usr/bin/x"), ...policyEntries(craftedPolicy())];
      const derived = await addLayers([system, policyEntries(files)]);
      const outcome = commitLayers(derived);
      await expect(outcome).rejects.toMatchObject({ kind: "failed" });
      await expect(outcome).rejects.toThrow(message);
    });

    test("links of a policy are followed inside the image alone", async () => {
      const derived = await addLayers([linkedPolicy()]);
      const lines = list(await commitLayers(derived));
      expect(lines).toContain("exact_t");
      expect(lines).not.toContain("outside_t");
    });
  });

  /** With links in its policy that lead to other places of the image, or out of it. */
  function linkedPolicy(): readonly TestEntry[] {
    const outside = join(it.work, "outside");
    writeFileSync(outside, "/.*\toutside_u:object_r:outside_t:s0\n");
    const { [CONTEXTS]: contexts = "", ...files } = craftedPolicy();
    return [
      ...SYSTEM,
      ...policyEntries(files),
      file("usr/share/contexts", contexts),
      symlink(`etc/selinux/${CONTEXTS}`, "/usr/share/contexts"),
      symlink(`etc/selinux/${CONTEXTS}.local`, outside),
      symlink(`etc/selinux/${CONTEXTS}.subs`, `../../../../../../../../../${outside}`),
    ];
  }

  test("links of a base's policy are followed inside the base alone when ostree labels layers", async () => {
    const [baseCommit = ""] = await addLayers([linkedPolicy()]);
    const settings = await readDerivedSettings(it.ctx, { repo: it.repo, baseCommit });
    const filter = { allowsNonUsr: true, retainsVar: true };
    const { commit } = await importBlob(it, makeTar(MORE), { ...settings, filter });
    await settings.release();
    expect(list(commit)).toMatch(/:bin_t:[^\n]*\/usr\/bin\/more$/m);
    expect(list(commit)).not.toContain("outside_t");
  });

  test("a later image with the same policy is labelled like the first", async () => {
    const layers = [[...SYSTEM, ...policyEntries(craftedPolicy())]];
    const derived = await addLayers(layers);
    const first = await commitLayers(derived);
    const labelledBy = (await readCommit(it.repo, first))?.metadata[0];
    if (!isDoorShut) {
      expect(labelledBy).toEqual(["bootc.labelled-by", { type: "s", value: expect.any(String) }]);
    }
    const later = [...derived, ...(await addLayers([MORE, [file("usr/lib/moved", "exact")]]))];
    // Under the same name, and under another one.
    for (const name of ["os", "other"]) {
      const commit = await commitLayers(later, name);
      expect((await readCommit(it.repo, commit))?.metadata[0]).toEqual(labelledBy);
      expect(rootsOf(it, commit)).toEqual(rootsOf(it, stockLabelled(later)));
    }
    it.ostree("fsck", "--quiet");
  });

  test("layers over a base are labelled by its policy as they are written", async () => {
    const [unlabelled = ""] = await addLayers([[...SYSTEM, ...policyEntries(craftedPolicy())]]);
    const base = stockLabelled([unlabelled]);
    const roots: unknown[] = [];
    const labels = createLabelSource(it.repo);
    for (const source of [labels, undefined]) {
      const settings = await readDerivedSettings(it.ctx, {
        repo: it.repo,
        baseCommit: base,
        labels: source,
      });
      expect(settings.selinuxPolicyDir === undefined).toBe(source !== undefined && !isDoorShut);
      const filter = { allowsNonUsr: true, retainsVar: true };
      const layer = await importBlob(it, makeTar(MORE), { ...settings, filter });
      await settings.release();
      roots.push(rootsOf(it, layer.commit));
      if (source === undefined) continue;
      const commit = await commitLayers([layer.commit], "os", base);
      expect(rootsOf(it, commit)).toEqual(rootsOf(it, stockLabelled([base, layer.commit])));
    }
    labels.close();
    expect(roots[0]).toEqual(roots[1]);
    it.ostree("fsck", "--quiet");
  });
});
