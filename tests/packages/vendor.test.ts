// Vendoring from end to end: an archive, an empty folder, no network, and a program that runs.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { beforeAll, describe, expect, test } from "vitest";
import type { VendorManifest } from "../../xtask/vendor/manifest.ts";

const TOP = resolve(import.meta.dirname, "../..");
const NODE = process.execPath;
const EPOCH = "1700000000";

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function xtask(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = TOP): Ran {
  return run(NODE, [join(TOP, "xtask/entry.ts"), ...args], {
    cwd,
    env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH, ...env },
  });
}

function run(program: string, args: readonly string[], options: object = {}): Ran {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", ...options });
  return { status, stdout, stderr };
}

/** As in COPR's build: without our environment and without network, not even loopback. */
function offline(program: string, args: readonly string[], cwd: string): Ran {
  const env = { PATH: process.env.PATH, HOME: cwd, LC_ALL: "C.UTF-8" };
  return run("unshare", ["-rn", program, ...args], { cwd, env });
}

function fresh(): string {
  return mkdtempSync(join(tmpdir(), "vendor-"));
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

const canUnshare = run("unshare", ["-rn", "true"]).status === 0;
const hasNpm = run("npm", ["--version"]).status === 0;

/** The archive under test, unpacked. */
let vendored = "";

beforeAll(() => {
  const folder = fresh();
  const archive = join(folder, "v.tar.zst");
  const made = xtask(["vendor", archive]);
  expect(made).toMatchObject({ status: 0 });
  execFileSync("tar", ["--zstd", "-C", folder, "-xf", archive]);
  vendored = join(folder, "vendor");
});

describe.skipIf(!canUnshare)(
  `without network${canUnshare ? "" : " (skipped: unshare -rn is not allowed here)"}`,
  () => {
    test("our installer: install, bundle, run", () => {
      const folder = fresh();
      const installed = offline(
        NODE,
        [join(TOP, "xtask/vendor/install.ts"), vendored, folder],
        folder,
      );
      expect(installed.stderr).toMatch(/^installed \d+ packages into /);
      expect(installed.status).toBe(0);
      expectBundleRuns(folder);
    });

    test.skipIf(!hasNpm)("npm ci --offline with an empty cache: install, bundle, run", () => {
      const folder = fresh();
      cpSync(vendored, folder, { recursive: true });
      const done = offline(
        "npm",
        ["ci", "--offline", "--cache", join(folder, "empty"), "--no-audit"],
        folder,
      );
      expect(done.status, done.stderr).toBe(0);
      expectBundleRuns(folder);
    });

    test.skipIf(!hasNpm)("npm and our installer unpack the same files", () => {
      const [ours, theirs] = [fresh(), fresh()];
      offline(NODE, [join(TOP, "xtask/vendor/install.ts"), vendored, ours], ours);
      cpSync(vendored, theirs, { recursive: true });
      offline("npm", ["ci", "--offline", "--cache", join(theirs, "empty"), "--no-audit"], theirs);
      const args = ["-r", "--exclude=.bin", "--exclude=.package-lock.json", "--brief"];
      const both = [ours, theirs].map((it) => join(it, "node_modules"));
      expect(run("diff", [...args, ...both])).toMatchObject({ status: 0, stdout: "" });
    });
  },
);

/** The product, bundled only from vendored packages, prints its help. */
function expectBundleRuns(folder: string): void {
  cpSync(join(TOP, "src"), join(folder, "src"), { recursive: true });
  const script = `require("esbuild-wasm").build({ entryPoints: ["src/entry.ts"], bundle: true,
    platform: "node", format: "cjs", outfile: "bootc.cjs", logLevel: "error", metafile: true })
    .then((it) => console.log(JSON.stringify(Object.keys(it.metafile.inputs))))`;
  const bundled = offline(NODE, ["-e", script], folder);
  expect(bundled.stderr).toBe("");
  const inputs = JSON.parse(bundled.stdout) as string[];
  const names = inputs.flatMap((it) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(it)?.[1] ?? []);
  const { packages } = readJson(join(vendored, "manifest.json")) as VendorManifest;
  const inside = packages.filter((it) => it.kind === "normal").map((it) => it.name);
  // The licences and the SBOM list exactly the packages that the bundler used.
  expect([...new Set(names)].filter((it) => !inside.includes(it))).toEqual([]);
  expect(names).toContain("commander");
  const ran = offline(NODE, ["bootc.cjs", "--help"], folder);
  expect(ran).toMatchObject({ status: 0, stderr: "" });
  expect(ran.stdout).toContain("Usage: bootc");
}

const LEADS_OUT = JSON.stringify({ packages: { "../x": { resolved: "file:x.tgz" } } });

describe("a damaged set", () => {
  function withFlippedByte(): string {
    const folder = join(fresh(), "vendor");
    cpSync(vendored, folder, { recursive: true });
    const tarball = join(folder, "vendor/execa-10.2.1.tgz");
    const bytes = readFileSync(tarball);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    writeFileSync(tarball, bytes);
    return folder;
  }

  test("our installer names the package, with the status of integrity, and leaves nothing", () => {
    const target = fresh();
    const got = run(NODE, [join(TOP, "xtask/vendor/install.ts"), withFlippedByte(), target]);
    expect(got.status).toBe(6);
    expect(got.stderr).toMatch(
      /^error: installing `execa@10\.2\.1`: its tarball is not what the lockfile says: want sha512-/,
    );
    expect(readdirSync(target)).toEqual([]);
  });

  test.each([
    { what: "no folder", write: undefined, want: /cannot read `\S+`: ENOENT/ },
    { what: "a lockfile cut short", write: '{"packages":{', want: /cannot read `\S+`: .*JSON/ },
    {
      what: "a lockfile that leads out",
      write: LEADS_OUT,
      want: /the path `\.\.\/x`, which is not in/,
    },
  ])("$what: one line, nothing written", ({ write, want }) => {
    const [vendor, target] = [fresh(), fresh()];
    if (write !== undefined) writeFileSync(join(vendor, "package-lock.json"), write);
    const got = run(NODE, [join(TOP, "xtask/vendor/install.ts"), vendor, target]);
    expect(got.status).toBe(1);
    expect(got.stderr).toMatch(want);
    expect(got.stderr).not.toContain("defect");
    expect(readdirSync(target)).toEqual([]);
  });

  test.skipIf(!hasNpm)("npm refuses it too", () => {
    const folder = withFlippedByte();
    const got = run("npm", ["ci", "--offline", "--cache", join(folder, "empty")], { cwd: folder });
    expect(got.status).not.toBe(0);
    expect(got.stderr).toMatch(/EINTEGRITY|Z_DATA_ERROR/);
  });

  test("a tarball in the cache that was damaged is not used", () => {
    const cache = fresh();
    cpSync(cacheFolder(), join(cache, "packages"), { recursive: true });
    const [name = ""] = readdirSync(join(cache, "packages")).filter((it) =>
      it.startsWith("execa-"),
    );
    writeFileSync(join(cache, "packages", name), "damaged");
    const out = join(fresh(), "v.tar");
    const got = xtask(["vendor", "--offline", "--format", "tar", out], { BOOTC_CACHE: cache });
    expect(got.status).toBe(4);
    expect(got.stderr).toContain("error: `execa@10.2.1` is not in the cache");
    expect(existsSync(out)).toBe(false);
  });
});

function cacheFolder(): string {
  return join(process.env.BOOTC_CACHE || join(TOP, "target/cache"), "packages");
}

describe("reproducible", () => {
  test("in another folder, with another umask, time zone and language, and made anew", () => {
    const [one, two] = [fresh(), fresh()];
    const first = join(one, "a.tar.zst");
    const second = join(two, "b.tar.zst");
    const [cacheOne, cacheTwo] = [join(one, "cache"), join(two, "cache")];
    for (const cache of [cacheOne, cacheTwo])
      cpSync(cacheFolder(), join(cache, "packages"), { recursive: true });
    const filter = ["--keep-dep-kinds", "normal", "--exclude-package", "node-linux-*"];
    filter.push("--exclude-package-path", "yaml#browser");
    expect(xtask(["vendor", first, ...filter], { BOOTC_CACHE: cacheOne })).toMatchObject({
      status: 0,
    });
    const script = 'umask 077; exec "$0" "$@"';
    const args = [NODE, join(TOP, "xtask/entry.ts"), "vendor", second, ...filter];
    const env = {
      ...process.env,
      SOURCE_DATE_EPOCH: EPOCH,
      TZ: "Asia/Tokyo",
      LC_ALL: "tr_TR.UTF-8",
    };
    const again = run("sh", ["-c", script, ...args], {
      cwd: two,
      env: { ...env, BOOTC_CACHE: cacheTwo },
    });
    expect(again).toMatchObject({ status: 0 });
    expect(sha256(second)).toBe(sha256(first));
  });
});

describe("for another project", () => {
  test("files left out are recorded: new integrity in the lockfile, the old one in the manifest", () => {
    const out = join(fresh(), "out");
    const args = [
      "--format",
      "dir",
      "--keep-dep-kinds",
      "normal",
      "--exclude-package-path",
      "yaml#browser",
    ];
    const manifest = [
      "--manifest-path",
      join(TOP, "package.json"),
      "--exclude-package",
      "node-linux-*",
    ];
    const got = xtask(["vendor", out, ...args, ...manifest]);
    expect(got).toMatchObject({ status: 0 });
    expect(got.stderr).toMatch(/left \d+ files, \d+ bytes, out of yaml@/);
    const said = readJson(join(out, "manifest.json")) as { packages: Record<string, unknown>[] };
    const yaml = said.packages.find((it) => it.name === "yaml");
    const locked = readJson(join(TOP, "package-lock.json")).packages["node_modules/yaml"];
    const ours = readJson(join(out, "package-lock.json")).packages["node_modules/yaml"];
    expect(yaml).toMatchObject({ integrity: ours.integrity, originalIntegrity: locked.integrity });
    expect(ours.integrity).not.toBe(locked.integrity);
    const tarball = readFileSync(join(out, String(yaml?.file)));
    expect(`sha512-${createHash("sha512").update(tarball).digest("base64")}`).toBe(ours.integrity);
    const again = xtask(["vendor", out, ...args, ...manifest]);
    expect(again).toMatchObject({ status: 1, stdout: "" });
    expect(again.stderr).toContain(`error: \`${out}\` already exists`);
  });

  test.skipIf(!canUnshare || !hasNpm)(
    "npm takes a set without the packages of other platforms",
    () => {
      const out = join(fresh(), "out");
      const args = ["--keep-dep-kinds", "build", "--build-dependency", "@biomejs/biome"];
      const platform = ["--platform", `linux-${process.arch}-glibc`];
      const made = xtask(["vendor", out, "--format", "dir", ...args, ...platform]);
      expect(made).toMatchObject({ status: 0 });
      expect(made.stderr).toMatch(/kept 2 packages/);
      const got = offline(
        "npm",
        ["ci", "--offline", "--cache", join(out, "empty"), "--no-audit"],
        out,
      );
      expect(got.status, got.stderr).toBe(0);
      const biome = join(out, "node_modules/@biomejs/biome/bin/biome");
      expect(offline(NODE, [biome, "--version"], out)).toMatchObject({ status: 0 });
    },
  );

  test("every package of it runs on the platform asked for, none of another", () => {
    const args = ["--dry-run", "--json", "--platform", "linux-arm64-musl"];
    const { kept } = JSON.parse(xtask(["vendor", ...args]).stdout) as { kept: { name: string }[] };
    const names = kept.map((it) => it.name);
    expect(names).toContain("@biomejs/cli-linux-arm64-musl");
    expect(names.filter((it) => /darwin|win32|x64|cli-linux-arm64$|-gnu/.test(it))).toEqual([]);
  });

  test.each([
    { files: {}, want: "there is no `" },
    { files: { "package.json": "{}" }, want: "package-lock.json`" },
    {
      files: { "package.json": "{}", "package-lock.json": '{"lockfileVersion":1}' },
      want: "package-lock.json has version 1 instead of 2 or 3",
    },
  ])("fails well: $want", ({ files, want }) => {
    const folder = fresh();
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const got = xtask([
      "vendor",
      "--manifest-path",
      join(folder, "package.json"),
      join(folder, "o"),
    ]);
    expect(got.status).not.toBe(0);
    expect(got.stderr).toContain(want);
    expect(got.stderr).toMatch(/^error: .*\nhint: /);
  });

  /** A project outside of git without dependencies; its folder. */
  function tinyProject(): string {
    const folder = join(fresh(), "p");
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), '{"name":"p","version":"1.0.0"}');
    const lock = {
      name: "p",
      lockfileVersion: 3,
      packages: { "": { name: "p", version: "1.0.0" } },
    };
    writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
    return folder;
  }

  test("outside a repository, an archive needs a clock", () => {
    const folder = tinyProject();
    const args = [
      "vendor",
      "--manifest-path",
      join(folder, "package.json"),
      join(folder, "o.tar.gz"),
    ];
    const got = xtask([...args, "--format", "tar.gz"], { SOURCE_DATE_EPOCH: "" });
    expect(got.stderr).toContain("hint: set SOURCE_DATE_EPOCH");
    expect(xtask([...args, "--format", "tar.gz"])).toMatchObject({ status: 0 });
  });

  test("a folder needs no clock, and --manifest-path may name the project's folder", () => {
    const folder = tinyProject();
    const args = ["vendor", "--manifest-path", folder, "--format", "dir", join(folder, "out")];
    expect(xtask(args, { SOURCE_DATE_EPOCH: "" })).toMatchObject({ status: 0 });
    expect(readJson(join(folder, "out/manifest.json"))).toMatchObject({ name: "p", packages: [] });
  });

  test.each(["nowhere", "package-lock.json"])("--manifest-path %s is refused", (name) => {
    const folder = tinyProject();
    const args = ["vendor", "--dry-run", "--manifest-path", join(folder, name)];
    const { status, stderr } = xtask(args);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: .*\nhint: name a package\.json, or the folder it is in\n$/);
  });
});

describe("stopped in the middle", () => {
  test("Ctrl-C while a download hangs: one line, no half-made file", async () => {
    const asked = Promise.withResolvers<void>();
    const server = createServer(() => asked.resolve());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const folder = fresh();
    const env = {
      ...process.env,
      SOURCE_DATE_EPOCH: EPOCH,
      BOOTC_CACHE: join(folder, "cache"),
      npm_config_registry: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      npm_config_noproxy: "127.0.0.1",
    };
    const args = [join(TOP, "xtask/entry.ts"), "vendor", join(folder, "v.tar.zst")];
    const child = spawn(NODE, args, { cwd: TOP, env, stdio: ["ignore", "ignore", "pipe"] });
    const stderr = text(child.stderr);
    await asked.promise;
    child.kill("SIGINT");
    const [status] = (await once(child, "exit")) as [number | null];
    expect(status).toBe(1);
    expect(await stderr).toMatch(/(^|\n)error: .*interrupted\n(hint: .*\n)?$/);
    expect(readdirSync(folder, { recursive: true })).toEqual([]);
    server.closeAllConnections();
    server.close();
  });

  const canMount = run("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

  test.skipIf(!canMount)(
    `a full disk${canMount ? "" : " (skipped: mounting is not allowed here)"}`,
    () => {
      const folder = fresh();
      const script = `mount -t tmpfs -o size=1m tmpfs "$0"; "$@"; status=$?; ls -A "$0" >&2; exit $status`;
      const command = [NODE, join(TOP, "xtask/entry.ts"), "vendor", join(folder, "v.tar.zst")];
      const got = run("unshare", ["-m", "sh", "-c", script, folder, ...command], {
        cwd: TOP,
        env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH },
      });
      expect(got.status).toBe(8);
      expect(got.stderr).toMatch(
        /\nerror: cannot write `\S+`: ENOSPC: .*\nhint: make room in .*\n$/,
      );
    },
  );
});

function readJson(path: string) {
  return JSON.parse(readFileSync(path, "utf8"));
}
