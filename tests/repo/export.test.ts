// Commits as container images again: stored images layer by layer, and commits of any repository encapsulated.
import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatDictionary } from "../../src/ostree/objects.ts";
import { CAPABILITY } from "./images/derived.ts";
import { dir, file, hardlink, makeTar, symlink } from "./images/tar-writer.ts";
import { describeEachOstree } from "./ostree-versions.ts";
import {
  bootc,
  makeScratch,
  ostree,
  pullArgs,
  type Scratch,
  skopeo,
  startBootc,
} from "./program.ts";
import { makeTinyImage } from "./tiny-image.ts";

const LONG = `usr/lib/${"long-".repeat(30)}ü`;

const LOWER = makeTar([
  dir("."),
  dir("usr"),
  dir("usr/bin"),
  file("usr/bin/su", "su", { mode: 0o4755 }),
  file("usr/bin/ping", "ping", { mode: 0o755, xattrs: { "security.capability": CAPABILITY } }),
  dir("usr/lib"),
  file("usr/lib/nobody", "n", { uid: 65534, gid: 65534, xattrs: { "user.b": "1", "user.a": "2" } }),
  file("usr/lib/secret", "s", { mode: 0 }),
  file("usr/lib/empty"),
  file("usr/lib/big", Buffer.alloc(3_000_000, "random enough ")),
  hardlink("usr/lib/twin", "usr/lib/big"),
  file(LONG, "long"),
  symlink("usr/lib/link", "../..//sbin/x"),
  symlink(`${LONG}-link`, LONG),
  dir("usr/lib/private", { mode: 0o700, xattrs: { "user.d": "1" } }),
  dir("usr/tmp", { mode: 0o1777 }),
  dir("usr/old"),
  file("usr/old/a", "a"),
  dir("etc"),
  file("etc/conf", "conf"),
  dir("var"),
  dir("var/log"),
  file("var/log/x", "x"),
]);

const UPPER = makeTar([
  dir("."),
  dir("usr"),
  dir("usr/bin"),
  file("usr/bin/.wh.su"),
  file("usr/bin/-dash", "dash"),
  dir("usr/old"),
  file("usr/old/.wh..wh..opq"),
  file("usr/old/b", "b"),
  dir("etc"),
  file("etc/.wh.conf"),
  file("etc/other", "other"),
]);

describeEachOstree(({ version }) => {
  let scratch: Scratch;
  /** Of podman, which refuses one whose path has more than 50 characters. */
  let runRoot: string | undefined;
  beforeAll(async () => {
    scratch = await makeScratch();
    runRoot = await mkdtemp("/tmp/podman-");
  });
  afterAll(async () => {
    await scratch?.remove();
    if (runRoot) await rm(runRoot, { recursive: true, force: true });
  });

  const container = (...words: readonly string[]) =>
    bootc(["internals", "ostree-container", ...words]);
  const run = async (...words: readonly string[]) => {
    const ended = await container(...words);
    expect(ended.status, ended.stderr).toBe(0);
    return ended.stdout.trim();
  };
  const pull = async (repo: string, reference: string) => {
    const ended = await bootc(pullArgs(repo, `ostree-unverified-image:${reference}`, "--quiet"));
    expect(ended.status, ended.stderr).toBe(0);
  };
  /** The commit of the only image in `repo`, and the checksums of its root. */
  const imageIn = (repo: string) => {
    const [ref = ""] = ostree("refs", `--repo=${repo}`, "--list", "ostree/container/image").split(
      "\n",
    );
    return {
      commit: ostree("rev-parse", `--repo=${repo}`, ref).trim(),
      root: ostree("ls", `--repo=${repo}`, "-d", "-C", ref, "/"),
    };
  };
  /** The paths in a layer of an image in a layout. */
  const listLayer = (target: string, index: number): readonly string[] => {
    const { Layers } = JSON.parse(skopeo("inspect", target)) as { Layers: readonly string[] };
    const [, directory = ""] = target.split(":");
    const blob = join(directory, "blobs", (Layers[index] ?? "").replace(":", "/"));
    return execFileSync("tar", ["--list", "--file", blob], { encoding: "utf8" }).split("\n");
  };
  const reexport = async (repo: string, source: string, target: string) =>
    await run("image", "reexport", "--repo", repo, source, target);

  const storage = () => `[overlay@${scratch.dir}/storage+${runRoot}]`;
  const podman = (...words: readonly string[]) =>
    execFileSync(
      "unshare",
      [
        ...["--mount", "podman", `--root=${scratch.dir}/storage`],
        ...[`--runroot=${runRoot}`, ...words],
      ],
      { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    );
  /** Has podman add a file to an image; the result as a layout. */
  const buildUpon = async (image: string, name: string) => {
    const context = join(scratch.dir, `build-${name}-${version}`);
    await mkdir(context);
    await writeFile(join(context, "added"), "added");
    const recipe = `FROM ${image}\nCOPY added /usr/lib/added\n`;
    await writeFile(join(context, "Containerfile"), recipe);
    podman("build", "--quiet", "--tag=localhost/built", context);
    const target = `oci:${scratch.dir}/${name}-${version}:os`;
    podman("push", "--quiet", "localhost/built", target);
    return target;
  };

  describe("a stored image", () => {
    let repo: string;
    let source: string;
    beforeAll(async () => {
      repo = scratch.repo(`stored-${version}`);
      const top = join(scratch.dir, `lower-${version}`);
      await mkdir(top);
      await makeTinyImage(top, "os", { layers: [LOWER, UPPER] });
      source = `oci:${top}:os`;
      await pull(repo, source);
    });

    test("comes back as the same tree, with the same digest each time", async () => {
      const target = `oci:${scratch.dir}/again-${version}:os`;
      const said = await reexport(repo, source, target);
      expect(said).toMatch(/^Exported: sha256:[0-9a-f]{64}$/);
      expect(await reexport(repo, source, `oci:${scratch.dir}/third-${version}:os`)).toBe(said);
      const other = scratch.repo(`again-repo-${version}`);
      await pull(other, target);
      expect(imageIn(other).root).toBe(imageIn(repo).root);
      ostree("fsck", `--repo=${other}`, "--quiet");
      expect(listLayer(target, 0)).toContain("var");
      expect(listLayer(target, 1)).not.toContain("var");
      const inspected = JSON.parse(skopeo("inspect", "--config", target));
      expect(inspected.config.Labels).toEqual({ "containers.bootc": "1" });
      expect(inspected.history.map((it: { created_by: string }) => it.created_by)).toEqual([
        "layer 0",
        "layer 1",
      ]);
    });

    test("goes into a container storage, where builds can go on from it", async () => {
      await reexport(repo, source, `containers-storage:${storage()}localhost/os:1`);
      const target = await buildUpon("localhost/os:1", "derived");
      const other = scratch.repo(`derived-repo-${version}`);
      await pull(other, target);
      const { commit } = imageIn(other);
      const listed = ostree(
        "ls",
        `--repo=${other}`,
        "-R",
        commit,
        "/usr/bin",
        "/usr/lib",
        "/usr/old",
      );
      expect(listed).toMatch(/-00644 0 0 +5 \/usr\/lib\/added\n/);
      expect(listed).toMatch(/-00644 65534 65534 +1 \/usr\/lib\/nobody\n/);
      expect(listed).not.toContain("/usr/bin/su");
      expect(listed).not.toContain("/usr/old/a");
    });

    test("is exported anew after a run that was killed, whose files go", async () => {
      const top = join(scratch.dir, `large-${version}`);
      await mkdir(top);
      const large = Buffer.alloc(200_000_000, "content");
      await makeTinyImage(top, "os", { layers: [{ "/usr/lib/large": large }] });
      const own = scratch.repo(`killed-${version}`);
      await pull(own, `oci:${top}:os`);
      const temporary = join(scratch.dir, `tmp-${version}`);
      await mkdir(temporary);
      const start = (name: string) =>
        startBootc(
          [
            ...["internals", "ostree-container", "image", "reexport", "--repo", own],
            ...[`oci:${top}:os`, `oci:${scratch.dir}/${name}-${version}:os`],
          ],
          { env: { TMPDIR: temporary } },
        );
      const begun = () => globSync("bootc-export-*/layer-0.part", { cwd: temporary });
      const killed = start("killed");
      await killed.until(() => begun().length === 1);
      killed.kill("SIGKILL");
      await killed.ended;
      const left = begun();
      expect(left).toHaveLength(1);
      const stopped = start("stopped");
      await stopped.until(() => begun().length === 1 && begun()[0] !== left[0]);
      stopped.kill("SIGSTOP");
      const running = begun();
      expect(await start("whole").ended).toMatchObject({ status: 0, stderr: "" });
      expect(begun()).toEqual(running);
      stopped.kill("SIGCONT");
      expect(await stopped.ended).toMatchObject({ status: 0, stderr: "" });
      expect(await readdir(temporary)).toEqual([]);
    });

    test("that is not there, or has lost a layer, is refused", async () => {
      const target = `oci:${scratch.dir}/none-${version}`;
      const none = await container("image", "reexport", "--repo", repo, "oci:/none", target);
      expect(none).toMatchObject({ status: 1, stdout: "" });
      const own = scratch.repo(`lost-${version}`);
      await pull(own, source);
      const [blob = ""] = ostree("refs", `--repo=${own}`, "--list", "ostree/container/blob").split(
        "\n",
      );
      ostree("refs", `--repo=${own}`, "--delete", blob);
      const lost = await container("image", "reexport", "--repo", own, source, target);
      expect(lost).toMatchObject({ status: 6, stdout: "" });
      expect(lost.stderr).toMatch(/the repository has lost the layer `sha256:.*\nhint: /);
    });
  });

  describe("a commit", () => {
    const repos: Record<string, string> = {};
    let commit: string;
    beforeAll(async () => {
      const bare = scratch.repo(`bare-${version}`);
      const top = join(scratch.dir, `tree-${version}`);
      await mkdir(top);
      await makeTinyImage(top, "os", { layers: [LOWER] });
      await pull(bare, `oci:${top}:os`);
      commit = ostree(
        ...["commit", `--repo=${bare}`, "--branch=os/stable", "--subject=An OS"],
        ...[`--tree=ref=${imageIn(bare).commit}`, "--add-metadata-string=version=42"],
        ...["--add-metadata=ostree.bootable=true", "--add-metadata-string=some.key=value"],
        ...["--add-detached-metadata-string=signature=kept", "--timestamp=@1700000000"],
      ).trim();
      repos.bare = bare;
      for (const mode of ["archive", "bare-user"]) {
        const repo = join(scratch.dir, `${mode}-${version}`);
        ostree("init", `--repo=${repo}`, `--mode=${mode}`);
        ostree("pull-local", `--repo=${repo}`, bare, "os/stable");
        repos[mode] = repo;
      }
    });
    const encapsulate = async (mode: string, name: string, ...more: readonly string[]) =>
      await run(
        ...["encapsulate", "--repo", repos[mode] ?? "", "os/stable"],
        ...[`oci:${scratch.dir}/${name}-${version}:os`, ...more],
      );
    const manifestOf = async (name: string) =>
      JSON.parse(skopeo("inspect", "--raw", `oci:${scratch.dir}/${name}-${version}:os`));

    test("comes back as itself, whatever the mode of the repository", async () => {
      const digests = [];
      for (const mode of ["bare", "archive", "bare-user"]) {
        digests.push(await encapsulate(mode, `of-${mode}`));
        const target = scratch.repo(`import-${mode}-${version}`);
        const image = `ostree-unverified-image:oci:${scratch.dir}/of-${mode}-${version}:os`;
        const words = ["--repo", target, image, "--write-ref", "x", "--quiet"];
        expect(await run("unencapsulate", ...words)).toContain(commit);
        ostree("fsck", `--repo=${target}`, "--quiet");
        const key = "--print-detached-metadata-key=signature";
        expect(ostree("show", `--repo=${target}`, key, "x").trim()).toBe("'kept'");
      }
      expect(new Set(digests).size).toBe(1);
      expect(digests[0]).toMatch(/^sha256:[0-9a-f]{64}$/);
    });

    test("says in labels what it is", async () => {
      await writeFile(join(scratch.dir, "config.json"), '{"Env":["A=1"],"Labels":{"mine":"1"}}');
      await encapsulate(
        ...["bare", "labelled", "--label", "l=1=2", "--copymeta", "some.key"],
        ...["--copymeta-opt", "none", "--cmd", "/usr/bin/x", "--cmd", "-y"],
        ...["--config", join(scratch.dir, "config.json"), "--compression-fast"],
      );
      const name = `oci:${scratch.dir}/labelled-${version}:os`;
      const { config, created, history, rootfs } = JSON.parse(skopeo("inspect", "--config", name));
      const labels = {
        "containers.bootc": "1",
        l: "1=2",
        "org.opencontainers.image.version": "42",
        "ostree.bootable": "true",
        "ostree.commit": commit,
        "ostree.final-diffid": rootfs.diff_ids[0],
        "some.key": "value",
        version: "42",
      };
      expect(config).toEqual({
        ...{ Cmd: ["/usr/bin/x", "-y"], Env: ["A=1"], Labels: { mine: "1", ...labels } },
      });
      expect((await manifestOf("labelled")).annotations).toEqual(labels);
      expect([created, history[0].created_by]).toEqual(["2023-11-14T22:13:20Z", "An OS"]);
    });

    test("is split as its composer says, and a derived image on top keeps that", async () => {
      const listed = ostree("ls", `--repo=${repos.bare}`, "-R", "-C", commit, "/usr");
      const checksumOf = (path: string) =>
        new RegExp(`([0-9a-f]{64}) /${path}\n`).exec(`${listed}\n`)?.[1] ?? "";
      const mapping = {
        [checksumOf("usr/bin/su")]: "tools",
        [checksumOf("usr/bin/ping")]: "tools",
        [checksumOf("usr/lib/big")]: "big",
        ["0".repeat(64)]: "tools",
      };
      const layers = { tools: "tools-1.0", nothing: "nothing-1", big: "big-2.0" };
      const meta = join(scratch.dir, "meta.json");
      await writeFile(meta, JSON.stringify({ version: 1, labels: { m: "1" }, layers, mapping }));
      await encapsulate("bare", "split", "--contentmeta", meta);
      const manifest = await manifestOf("split");
      const names = manifest.layers.map(
        (it: { annotations?: Record<string, string> }) => it.annotations?.["ostree.components"],
      );
      expect(names).toEqual([undefined, "big-2.0", "tools-1.0"]);
      expect(manifest.annotations.m).toBe("1");

      const repo = scratch.repo(`split-repo-${version}`);
      const stored = `containers-storage:${storage()}localhost/split:1`;
      const words = ["--repo", repos.bare ?? "", "os/stable", stored, "--contentmeta", meta];
      await run("encapsulate", ...words);
      const source = await buildUpon("localhost/split:1", "upon-split");
      await pull(repo, source);
      expect(ostree("rev-parse", `--repo=${repo}`, `${imageIn(repo).commit}^`).trim()).toBe(commit);
      const target = `oci:${scratch.dir}/split-again-${version}:os`;
      await reexport(repo, source, target);
      const again = scratch.repo(`split-again-repo-${version}`);
      await pull(again, target);
      expect(imageIn(again).root).toBe(imageIn(repo).root);
      const parent = ostree("rev-parse", `--repo=${again}`, `${imageIn(again).commit}^`).trim();
      expect(parent).toBe(commit);
      const digestsOf = async (name: string): Promise<readonly string[]> =>
        (await manifestOf(name)).layers.map((it: { digest: string }) => it.digest);
      expect((await digestsOf("split-again")).slice(0, -1)).toEqual(await digestsOf("split"));
      const added = ostree("ls", `--repo=${again}`, imageIn(again).commit, "/usr/lib/added");
      expect(added).toContain("-00644 0 0");
    });

    test("goes through a tar stream, and a damaged one is refused", async () => {
      const stream = join(scratch.dir, `stream-${version}.tar`);
      const program = [process.execPath, join(import.meta.dirname, "../../src/entry.ts")].join(" ");
      const words = `internals ostree-ext tar export --repo ${repos.archive} os/stable`;
      execFileSync("sh", ["-c", `${program} ${words} > ${stream}`]);
      const target = scratch.repo(`stream-repo-${version}`);
      const imported = await bootc([
        "internals",
        "ostree-ext",
        "tar",
        "import",
        "--repo",
        target,
        stream,
      ]);
      expect(imported).toMatchObject({ status: 0, stdout: `Imported: ${commit}\n` });
      ostree("fsck", `--repo=${target}`, "--quiet");
      const bytes = await readFile(stream);
      bytes[bytes.indexOf("random enough")] = 0;
      await writeFile(stream, bytes);
      const other = scratch.repo(`damaged-repo-${version}`);
      const refused = await bootc([
        "internals",
        "ostree-ext",
        "tar",
        "import",
        "--repo",
        other,
        stream,
      ]);
      expect(refused).toMatchObject({ status: 6, stdout: "" });
    });

    test("gets other detached metadata after it was made, and keeps its other layers", async () => {
      const listed = ostree("ls", `--repo=${repos.bare}`, "-C", commit, "/usr/lib/big");
      const big = /[0-9a-f]{64}/.exec(listed)?.[0] ?? "";
      const meta = join(scratch.dir, "big.json");
      const document = { version: 1, layers: { big: "big" }, mapping: { [big]: "big" } };
      await writeFile(meta, JSON.stringify(document));
      await encapsulate("bare", "unsigned", "--contentmeta", meta);
      const name = (it: string) => `oci:${scratch.dir}/${it}-${version}:os`;
      const file = join(scratch.dir, "new.commitmeta");
      await writeFile(file, formatDictionary([["signature", { type: "s", value: "new" }]]));
      const replace = ["image", "replace-detached-metadata", "--src", name("unsigned")];
      expect(await run(...replace, "--dest", name("signed"), file)).toMatch(/^Pushed: sha256:/);
      await run(...replace, "--dest", name("bare-of-it"));
      expect((await manifestOf("signed")).layers[1]).toEqual(
        (await manifestOf("unsigned")).layers[1],
      );
      for (const [image, signature] of [
        ["signed", "'new'"],
        ["bare-of-it", undefined],
      ] as const) {
        const target = scratch.repo(`${image}-repo-${version}`);
        const words = [
          "--repo",
          target,
          `ostree-unverified-image:${name(image)}`,
          "--write-ref",
          "x",
        ];
        expect(await run("unencapsulate", ...words)).toContain(commit);
        const show = () =>
          ostree("show", `--repo=${target}`, "--print-detached-metadata-key=signature", "x").trim();
        if (signature === undefined) expect(show).toThrow();
        else expect(show()).toBe(signature);
      }
      await writeFile(file, "no dictionary");
      const refused = await container(...replace, "--dest", name("none"), file);
      expect(refused).toMatchObject({ status: 2, stdout: "" });
    });

    test("is compared layer by layer", async () => {
      await encapsulate("bare", "one");
      const one = `ostree-unverified-image:oci:${scratch.dir}/one-${version}:os`;
      const lines = (await run("compare", one, one)).split("\n");
      expect(lines).toEqual([
        expect.stringMatching(/^Total new layers: 1 /),
        expect.stringMatching(/^Removed layers: {3}0 /),
        expect.stringMatching(/^Added layers: {5}0 /),
      ]);
    });

    test("and bad words about it are refused before anything is written", async () => {
      const repo = repos.bare ?? "";
      const target = `oci:${scratch.dir}/refused-${version}`;
      await writeFile(join(scratch.dir, "bad.json"), '{"version": 2}');
      const cases: readonly (readonly [readonly string[], number, string])[] = [
        [["none", target], 2, "`none` does not name a commit"],
        [["os/stable", target, "--label", "x"], 2, "`x` is not a label"],
        [["os/stable", target, "--copymeta", "none"], 2, "has no text `none`"],
        [["os/stable", "x"], 2, "is not an image reference"],
        [
          ["os/stable", target, "--contentmeta", join(scratch.dir, "bad.json")],
          3,
          "Unsupported metadata version: 2",
        ],
      ];
      for (const [words, status, said] of cases) {
        const ended = await container("encapsulate", "--repo", repo, ...words);
        expect(ended, words.join(" ")).toMatchObject({ status, stdout: "" });
        expect(ended.stderr).toContain(said);
      }
      await expect(readFile(join(scratch.dir, `refused-${version}`, "oci-layout"))).rejects.toThrow(
        "ENOENT",
      );
    });
  });
});
