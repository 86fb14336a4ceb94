import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneTo, git, missingProgram, SHARED_CACHE, scratchFolder, TOP, xtask } from "./clone.ts";

const missing = missingProgram("git", "rpm", "rpmbuild", "bwrap");
const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
/** The default payload takes a minute, and contains the same files. */
const CHEAP = ["--payload", "w1.zstdio"];

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const lines = (text: string) => text.split("\n").filter((it) => it !== "");
const rpm = (...args: string[]) => execFileSync("rpm", args, { encoding: "utf8" });

/** Runs a task that must succeed and print one path, which is below the clone. */
function make(clone: string, args: readonly string[], env = {}): string {
  const { status, stdout, stderr } = xtask(args, { cwd: clone, env });
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/^target\/[^\n]+\n$/);
  return join(clone, stdout.trim());
}

describe.skipIf(missing)(`packages${missing ? ` (${missing})` : ""}`, () => {
  const scratch = scratchFolder("made");
  const first = join(scratch, "first");
  const second = join(scratch, "a longer way", "to", "second");
  let version = "";
  let srpm = "";
  let binary = "";
  let policyModule = "";

  beforeAll(() => {
    cloneTo(first);
    version = xtask(["version"], { cwd: first }).stdout.trim();
    srpm = make(first, ["package-srpm"]);
    binary = make(first, ["package-rpm", "--srpm", srpm]);
    policyModule = join(first, "target", `bootc-selinux-${version}-1.noarch.rpm`);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test("the source package is named after the version, and small enough to keep for every commit", () => {
    expect(basename(srpm)).toBe(`bootc-${version}-1.src.rpm`);
    expect(statSync(srpm).size).toBeLessThanOrEqual(56_000_000);
  });

  test("it contains the spec and three sources, and no trace of who made it, where or when", () => {
    const files = lines(rpm("-qp", "--qf", "[%{FILENAMES}\n]", srpm));
    expect(files).toHaveLength(4);
    expect(files).toContain("bootc.spec");
    expect(files.filter((it) => it.endsWith(".tar.zst"))).toHaveLength(3);
    const about = "[%{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEMODES:octal} %{FILEMTIMES}\n]";
    const epoch = git(first, "show", "--no-patch", "--format=%ct", "HEAD");
    expect(new Set(lines(rpm("-qp", "--qf", about, srpm)))).toEqual(
      new Set([`root:root 100644 ${epoch}`]),
    );
    expect(rpm("-qp", "--qf", "%{BUILDHOST} %{BUILDTIME}", srpm)).toBe(`reproducible ${epoch}`);
  });

  test("with nothing changed, it is made again within ten seconds", () => {
    const started = Date.now();
    expect(make(first, ["package-srpm"])).toBe(srpm);
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  test("another clone with its own compression gives the same bytes, for any user and in any place", () => {
    mkdirSync(join(second, ".."), { recursive: true });
    cloneTo(second, first);
    // Downloads may be shared; everything made from them is made again.
    const cache = join(scratch, "cache");
    mkdirSync(cache);
    cpSync(join(SHARED_CACHE, "packages"), join(cache, "packages"), { recursive: true });
    const env = { BOOTC_CACHE: cache, TZ: "Asia/Tokyo", LC_ALL: "de_DE.UTF-8", USER: "somebody" };
    const { status, stdout, stderr } = spawnSync(
      "sh",
      ["-c", "umask 077; exec node xtask/run.cjs package-srpm"],
      { cwd: second, encoding: "utf8", env: { ...process.env, ...env, CI: undefined } },
    );
    expect(status, stderr).toBe(0);
    const again = join(second, stdout.trim());
    expect(basename(again)).toBe(basename(srpm));
    expect(sha256(again)).toBe(sha256(srpm));
    // Compressing the runtimes takes a minute of one core, and many minutes on a busy machine.
  }, 1_800_000);

  test("a second offline rebuild gives every file byte for byte", () => {
    const outdir = join(scratch, "again");
    const { status, stdout, stderr } = xtask(
      ["package-rpm", "--srpm", srpm, "--outdir", outdir, ...CHEAP],
      { cwd: first },
    );
    expect(status, stderr).toBe(0);
    const query = [
      "-qp",
      "--qf",
      "[%{FILENAMES} %{FILEDIGESTS} %{FILEMODES:octal} %{FILEMTIMES}\n]",
    ];
    const files = lines(rpm(...query, binary));
    expect(files.find((it) => it.startsWith("/usr/bin/bootc "))).toMatch(/ [0-9a-f]{64} /);
    expect(lines(rpm(...query, stdout.trim()))).toEqual(files);
  });

  test("the package and its executable are within their sizes", () => {
    const sizes = lines(rpm("-qp", "--qf", "[%{FILENAMES} %{FILESIZES}\n]", binary));
    const executable = sizes.find((it) => it.startsWith("/usr/bin/bootc "))?.split(" ")[1];
    expect(statSync(binary).size).toBeLessThanOrEqual(32_000_000);
    expect(Number(executable)).toBeLessThanOrEqual(123_000_000);
    expect(rpm("-qp", "--qf", "%{PAYLOADCOMPRESSOR} %{PAYLOADFLAGS}", binary)).toBe("zstd 19");
  });

  test("it requires the programs and libraries that bootc uses, and provides what it bundles", () => {
    const { rpm: wanted } = JSON.parse(readFileSync(join(TOP, "package.json"), "utf8"));
    const requires = lines(rpm("-qp", "--requires", binary));
    expect(requires).toEqual(expect.arrayContaining(Object.values(wanted.requires)));
    expect(requires).toContain("libatomic.so.1()(64bit)");
    expect(requires.filter((it) => /nodejs|npm|usr\/bin\/node/.test(it))).toEqual([]);
    const recommends = lines(rpm("-qp", "--recommends", binary));
    expect(recommends).toEqual(expect.arrayContaining(Object.values(wanted.recommends)));
    const provides = lines(rpm("-qp", "--provides", binary));
    const lock = JSON.parse(readFileSync(join(TOP, "package-lock.json"), "utf8")).packages;
    const runtime = lock[`node_modules/node-linux-${process.arch}`].version;
    expect(provides).toContain(`bundled(nodejs) = ${runtime}`);
    for (const name of ["commander", "execa", "yaml", "smol-toml"]) {
      expect(provides).toContain(
        `bundled(nodejs-${name}) = ${lock[`node_modules/${name}`].version}`,
      );
    }
    expect(provides.filter((it) => it.includes("esbuild"))).toEqual([]);
    expect(provides).toContain(`bootc = ${version}-1`);
  });

  test("its scriptlets tell systemd about its units at installation and removal", () => {
    const scripts = rpm("-qp", "--scripts", binary);
    const units = lines(rpm("-qpl", binary)).flatMap(
      (it) => /^\/usr\/lib\/systemd\/system\/([^/]+\.(?:service|timer|path))$/.exec(it)?.[1] ?? [],
    );
    expect(units).toContain("bootc-fetch-apply-updates.timer");
    for (const step of ["install-system-units", "remove-system-units"]) {
      const line = scripts.split("\n").find((it) => it.includes(` ${step} `));
      expect(line?.match(/\S+\.(?:service|timer|path)/g)?.toSorted()).toEqual(units.toSorted());
    }
  });

  test("it contains man pages, completions and licences", () => {
    const files = lines(rpm("-qpl", binary)).join("\n");
    expect(files).toMatch(/^\/usr\/share\/man\/man8\/bootc\.8/m);
    expect(files).toMatch(/^\/usr\/share\/man\/man8\/bootc-status\.8/m);
    expect(files).toMatch(/^\/usr\/share\/bash-completion\/completions\/bootc$/m);
    expect(files).toMatch(/^\/usr\/share\/zsh\/site-functions\/_bootc$/m);
    expect(files).toMatch(/^\/usr\/share\/fish\/vendor_completions\.d\/bootc\.fish$/m);
    expect(files).toMatch(/^\/usr\/share\/elvish\/lib\/bootc\.elv$/m);
    expect(files).toMatch(/^\/usr\/share\/powershell\/completions\/bootc\.ps1$/m);
    for (const name of ["LICENSE-APACHE", "LICENSE-MIT", "LICENSE.dependencies", "LICENSE.nodejs"])
      expect(files).toMatch(new RegExp(`^/usr/share/licenses/bootc[^/]*/${name}$`, "m"));
  });

  test("the policy module has a package of its own, which needs the same version", () => {
    expect(lines(rpm("-qpl", policyModule))).toContain("/usr/share/selinux/packages/bootc.cil");
    expect(lines(rpm("-qpR", policyModule))).toContain(`bootc = ${version}`);
    expect(rpm("-qp", "--scripts", policyModule)).toContain("semodule --priority=200 --install=");
  });

  test("its changelog starts with this version", () => {
    expect(rpm("-qp", "--changelog", binary).split("\n")[0]).toMatch(
      new RegExp(
        `^\\* \\w{3} \\w{3} \\d\\d \\d{4} .+ <.+> - ${version.replace(/[.^]/g, "\\$&")}-1$`,
      ),
    );
  });

  const noRpmlint = missingProgram("rpmlint");
  test.skipIf(noRpmlint)(`rpmlint finds nothing${noRpmlint ? ` (${noRpmlint})` : ""}`, () => {
    const config = join(TOP, "rpm/rpmlint.toml");
    const paths = [join(first, "target/bootc.spec"), srpm, binary, policyModule];
    const { status, stdout } = spawnSync("rpmlint", ["--config", config, ...paths], {
      encoding: "utf8",
    });
    expect(stdout).toContain("3 packages and 1 specfiles checked; 0 errors, 0 warnings");
    expect(status).toBe(0);
  });

  const noRoot =
    process.getuid?.() === 0 ? missingProgram("debootstrap", "chroot") : "needs to be root";
  describe.skipIf(noRoot)(`installed${noRoot ? ` (${noRoot})` : ""}`, () => {
    let root = "";
    const onRoot = (...args: string[]) =>
      spawnSync("rpm", ["--root", root, ...args], { encoding: "utf8" });
    const inside = (...words: string[]) =>
      spawnSync("chroot", [root, ...words], {
        encoding: "utf8",
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      });

    beforeAll(() => {
      root = join(scratch, "root");
      const archive = join(SHARED_CACHE, "minimal-bookworm.tar");
      if (!existsSync(archive)) {
        const include = "--include=libatomic1,libstdc++6";
        execFileSync("debootstrap", ["--variant=minbase", include, "bookworm", root], {
          stdio: "ignore",
        });
        execFileSync("tar", [
          "--create",
          `--file=${archive}.${process.pid}`,
          `--directory=${root}`,
          ".",
        ]);
        execFileSync("mv", [`${archive}.${process.pid}`, archive]);
      } else {
        mkdirSync(root);
        execFileSync("tar", ["--extract", `--file=${archive}`, `--directory=${root}`]);
      }
    });

    test("it installs, runs and verifies", () => {
      const { status, stderr } = onRoot("--install", "--nodeps", binary);
      expect(status, stderr).toBe(0);
      expect(inside("bootc", "--version").stdout).toBe(`bootc ${version}\n`);
      const asked = inside("bootc", "status", "--format=humanreadable");
      expect(asked).toMatchObject({ status: 0, stdout: "System is not deployed via bootc.\n" });
      expect(onRoot("--verify", "--nodeps", "bootc")).toMatchObject({ status: 0, stdout: "" });
    });

    test("a newer build replaces it, an older one is refused", () => {
      writeFileSync(join(first, "NEWER"), "\n");
      git(first, "add", "NEWER");
      git(first, "commit", "--quiet", "--message=test: A newer commit");
      const newer = make(first, ["package-rpm", ...CHEAP]);
      const { status, stderr } = onRoot("--upgrade", "--nodeps", newer);
      expect(status, stderr).toBe(0);
      const newerVersion = xtask(["version"], { cwd: first }).stdout.trim();
      expect(inside("bootc", "--version").stdout).toBe(`bootc ${newerVersion}\n`);
      expect(onRoot("--verify", "--nodeps", "bootc")).toMatchObject({ status: 0, stdout: "" });
      expect(onRoot("--upgrade", "--nodeps", binary).stderr).toContain("is already installed");
    });

    test("its removal leaves nothing behind", () => {
      const { stdout } = onRoot("--query", "--list", "bootc");
      expect(onRoot("--erase", "--nodeps", "bootc")).toMatchObject({ status: 0, stdout: "" });
      const ours = lines(stdout).filter((it) => it.includes("bootc"));
      expect(ours.length).toBeGreaterThan(10);
      expect(ours.filter((it) => existsSync(join(root, it)))).toEqual([]);
    });
  });

  test("the machine it is for is the one it was built on", () => {
    expect(rpm("-qp", "--qf", "%{ARCH}", binary)).toBe(machine);
    expect(lines(rpm("-qp", "--qf", "[%{EXCLUSIVEARCH}\n]", srpm))).toEqual(["x86_64", "aarch64"]);
  });
});
