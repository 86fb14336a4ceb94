// make_srpm as COPR runs it: in a small root, with its capabilities and variables, from a subdirectory.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KEPT_CAPABILITIES, makeCommand, requireOne } from "../../xtask/copr/emulate.ts";
import { coprRoot, whyNoCoprRoot } from "./copr-root.ts";

const TOP = resolve(import.meta.dirname, "../..");
const CACHE = process.env.BOOTC_TEST_CACHE ?? "/var/cache/bootc-tests";
const reason = whyNoCoprRoot();

/**
 * Mounts the root with a separate layer, COPR's mounts, and the files that this machine's network needs; then runs
 * the command.
 */
const ENTER = `set -e
root=$1 layer=$2; shift 2
mkdir -p "$layer/upper" "$layer/work" "$layer/merged"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$layer/upper,workdir=$layer/work" "$layer/merged"
cd "$layer/merged"
mount -t proc proc proc
mount --rbind /dev dev
mkdir -p builddir results cache origin.git usr/etc
mount --bind "$layer/clone" builddir
mount --bind "$layer/results" results
mount --bind "$layer/cache" cache
mount --bind "$layer/origin.git" origin.git
cp -L /etc/resolv.conf etc/resolv.conf
cp -L /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ca-certificates.crt
[ ! -f /usr/etc/npmrc ] || cp /usr/etc/npmrc usr/etc/npmrc
exec chroot . "$@"
`;

let layer = "";

function git(args: readonly string[], cwd?: string): string {
  return execFileSync("git", args, {
    encoding: "utf8",
    ...(cwd === undefined ? {} : { cwd }),
  }).trim();
}

/** The working copy, committed or not, as a clone with one commit that does not belong to root. */
function makeClone(): void {
  const source = join(layer, "source");
  git(["clone", "--quiet", "--no-hardlinks", TOP, source]);
  git(["checkout", "--quiet", git(["rev-parse", "HEAD"], TOP)], source);
  const changed = git(["ls-files", "--modified", "--others", "--exclude-standard"], TOP);
  for (const path of changed.split("\n").filter((it) => it !== "")) {
    execFileSync("cp", ["--parents", "--", path, source], { cwd: TOP });
  }
  git(["add", "--all"], source);
  const author = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
  git([...author, "commit", "--quiet", "--allow-empty", "--message=Tested"], source);
  git(["branch", "--force", "tested"], source);
  git(["clone", "--quiet", "--bare", source, join(layer, "origin.git")]);
  const clone = join(layer, "clone");
  git(["clone", "--quiet", "--depth", "1", "--branch", "tested", `file://${source}`, clone]);
  git(["remote", "set-url", "origin", "file:///origin.git"], clone);
  rmSync(source, { recursive: true });
  execFileSync("chown", ["--recursive", "65534:65534", clone]);
}

function inRoot(command: readonly string[], cwd: string) {
  const environment = [
    "HOME=/root",
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    "BOOTC_CACHE=/cache",
    // For the certificates of a proxy, which a builder does not have.
    "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt",
  ];
  const entered = ["env", "-i", `--chdir=${cwd}`, ...environment, ...command];
  const unshare = ["--mount", "--pid", "--fork", "--kill-child", "--"];
  return spawnSync(
    "unshare",
    [...unshare, "sh", "-c", ENTER, "enter", coprRoot(), layer, ...entered],
    {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    },
  );
}

describe.skipIf(reason !== undefined)(
  `make_srpm in a small root${reason ? ` (${reason})` : ""}`,
  () => {
    beforeAll(() => {
      coprRoot();
      layer = mkdtempSync(join(CACHE, "copr-layer-"));
      for (const it of ["results", "cache"]) mkdirSync(join(layer, it));
      makeClone();
      // Saves the minute of compression that every test of packages would otherwise take.
      const cache = process.env.BOOTC_CACHE ?? join(TOP, "target/cache");
      if (existsSync(cache)) execFileSync("cp", ["-a", `${cache}/.`, join(layer, "cache")]);
    });

    afterAll(() => {
      if (layer !== "") rmSync(layer, { recursive: true, force: true });
    });

    test("the root has exactly what COPR's root has", () => {
      const missing = ["node", "npm"].filter(
        (it) => inRoot(["sh", "-c", `command -v ${it}`], "/").status !== 0,
      );
      expect(missing).toEqual(["node", "npm"]);
      const { program, args } = makeCommand({
        clone: "/c",
        outdir: "/o",
        subdirectory: "",
        spec: "",
      });
      const limited = args.slice(0, args.indexOf("make"));
      const status = inRoot(
        [program, ...limited, "grep", "CapEff", "/proc/self/status"],
        "/",
      ).stdout;
      const numbers: Readonly<Record<string, number>> = {
        chown: 0,
        dac_override: 1,
        fowner: 3,
        fsetid: 4,
      };
      const mask = KEPT_CAPABILITIES.reduce((sum, it) => sum | (1 << (numbers[it] ?? 0)), 0);
      expect(Number.parseInt(status.split("\t")[1] ?? "", 16)).toBe(mask);
    });

    test("one source RPM, from a subdirectory of another user's shallow clone", () => {
      const { program, args } = makeCommand({
        clone: "/builddir",
        outdir: "/results",
        subdirectory: "rpm",
        spec: "bootc.spec",
      });
      const made = inRoot([program, ...args], "/builddir/rpm");
      expect(made.status, made.stderr).toBe(0);
      const name = requireOne(readdirSync(join(layer, "results")));
      expect(name).toMatch(/^bootc-\d.*\.src\.rpm$/);
      const asked = readFileSync(join(layer, "upper/var/log/dnf-asked"), "utf8").trim().split("\n");
      expect(asked).toEqual(["-y install git-core nodejs-npm rpm-build libatomic"]);

      const path = join(layer, "results", name);
      const files = execFileSync("rpm", ["--query", "--list", "--package", path], {
        encoding: "utf8",
      });
      expect(files.trim().split("\n").toSorted()).toEqual([
        expect.stringMatching(/^bootc-.*-vendor\.tar\.zst$/),
        expect.stringMatching(/^bootc-.*\.tar\.zst$/),
        "bootc.spec",
        expect.stringMatching(/^node-.*-linux\.tar\.zst$/),
      ]);
      // COPR's own macros must not be baked in.
      const unpack =
        'rpm2archive - < "$0" | tar --extract --gzip --to-stdout --wildcards "*bootc.spec"';
      const spec = execFileSync("sh", ["-c", unpack, path], { encoding: "utf8" });
      expect(spec).toMatch(/^Name: *bootc$/m);
      expect(spec).not.toContain("/builddir");
    });
  },
);
