// The variables and files around the executable at its start neither stop it nor run code in it.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { HIDDEN_PREFIXES } from "../../src/system/hidden-environment.ts";

const TOP = resolve(import.meta.dirname, "../..");

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Ran {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    // A variable may also make it wait forever.
    timeout: 20_000,
    killSignal: "SIGKILL",
    // In a container, no verb changes anything, whatever machine this is.
    env: { PATH: process.env.PATH, container: "oci", ...env },
  });
  return { status, stdout, stderr };
}

const work = mkdtempSync(join(tmpdir(), "environment-"));
const bootc = join(work, "bootc");
/** For files that a variable causes to be written; empty at the start of every test. */
const folder = join(work, "folder");
/** The verbs' answers in an empty environment. */
let plain: readonly Ran[] = [];

beforeAll(() => {
  const entry = join(TOP, "xtask/entry.ts");
  const args = [entry, "build", "--version-string", "9.8.7", "--out", bootc];
  expect(spawnSync(process.execPath, args).status).toBe(0);
  plain = answers();
});

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
});

afterAll(() => rmSync(work, { recursive: true }));

const VERBS: readonly (readonly string[])[] = [
  ["status", "--format", "json"],
  ["status"],
  ["rollback"],
  ["--version"],
];

function answers(env: NodeJS.ProcessEnv = {}): readonly Ran[] {
  return VERBS.map((it) => run(bootc, it, env));
}

test("the verbs answer in an empty environment", () => {
  expect(plain.map((it) => it.status)).toEqual([0, 0, 3, 0]);
});

const PROVIDER = (module: string) =>
  `nodejs_conf = init\nopenssl_conf = init\n[init]\nproviders = all\n[all]\nmine = mine\n` +
  `[mine]\nmodule = ${module}\nactivate = 1\n`;

/** Any shared object: once it is loaded, its code runs. */
const LIBRARY = (process.report.getReport() as { sharedObjects: string[] }).sharedObjects.find(
  (it) => it.includes("libm.so"),
);

const OPENSSL = [
  { what: "has a mistake", text: "[init\nnodejs_conf" },
  { what: "names a provider that is missing", text: PROVIDER("/nonexistent/provider.so") },
  { what: "names a library to load", text: PROVIDER(LIBRARY ?? "libm.so.6") },
  {
    what: "allows FIPS alone",
    text: "nodejs_conf = init\n[init]\nalg_section = alg\n[alg]\ndefault_properties = fips=yes\n",
  },
];

describe.each(OPENSSL)("a configuration of OpenSSL that $what", ({ text }) => {
  const isAllowed = spawnSync("unshare", ["--mount", "true"]).status === 0;

  test("changes nothing as $OPENSSL_CONF", () => {
    const conf = join(work, "openssl.cnf");
    writeFileSync(conf, text);
    expect(answers({ OPENSSL_CONF: conf })).toEqual(plain);
  });

  test.skipIf(!isAllowed)("changes nothing as /etc/ssl/openssl.cnf", () => {
    const conf = join(work, "openssl.cnf");
    writeFileSync(conf, text);
    const script = `mount -t tmpfs none /etc/ssl && cp ${conf} /etc/ssl/openssl.cnf && exec "$@"`;
    const within = VERBS.map((it) =>
      run("unshare", ["--mount", "sh", "-c", script, "sh", bootc, ...it]),
    );
    expect(within).toEqual(plain);
  });
});

/**
 * What the entry point hides: together with `UNUSED`, a row for each row of the table in docs/executable.md. Some
 * of these have no effect that can be seen in every verb, so each test also looks for the hidden name itself.
 */
const HIDDEN: readonly NodeJS.ProcessEnv[] = [
  { OPENSSL_CONF: "/dev/null/nonexistent" },
  { OPENSSL_MODULES: folder, OPENSSL_ENGINES: folder },
  { OPENSSL_ia32cap: "0xffffffffffffffff:0xffffffffffffffff", OPENSSL_armcap: "0xffffffff" },
  { SIMDUTF_FORCE_IMPLEMENTATION: "nosuch" },
  { NODE_OPTIONS: "--require /nonexistent.cjs" },
  { NODE_REPL_EXTERNAL_MODULE: join(folder, "module.cjs") },
  { NODE_CHANNEL_FD: "abc" },
  { NODE_CHANNEL_FD: "99999" },
  { NODE_CHANNEL_FD: "1", NODE_UNIQUE_ID: "1" },
  { NODE_CHANNEL_FD: "1", NODE_CHANNEL_SERIALIZATION_MODE: "advanced" },
  { NODE_TEST_CONTEXT: "child-v8" },
  { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: "nonsense", HTTPS_PROXY: "nonsense" },
  { NODE_COMPILE_CACHE: join(folder, "cache") },
  { NODE_V8_COVERAGE: join(folder, "coverage") },
  { NODE_V8_COVERAGE: "/dev/null/coverage" },
  { NODE_REDIRECT_WARNINGS: join(folder, "warnings"), NODE_PENDING_DEPRECATION: "1" },
  { NODE_DEBUG: "*" },
  { NODE_DEBUG_NATIVE: "ALL" },
  { NODE_ICU_DATA: folder, ICU_TIMEZONE_FILES_DIR: folder },
  { NODE_EXTRA_CA_CERTS: "/dev/null/nonexistent", NODE_USE_SYSTEM_CA: "1" },
  { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
  { NODE_PATH: folder },
  { NODE_NO_WARNINGS: "1", NODE_PRESERVE_SYMLINKS: "1", NODE_PRESERVE_SYMLINKS_MAIN: "1" },
  { UV_THREADPOOL_SIZE: "1024", UV_USE_IO_URING: "1" },
];

/** What nothing in the executable reads or acts on, and is therefore left as it is. */
const UNUSED: readonly NodeJS.ProcessEnv[] = [
  { SSL_CERT_FILE: "/dev/null/nonexistent", SSL_CERT_DIR: "/dev/null/nonexistent" },
  { QLOGDIR: folder, CTLOG_FILE: "/dev/null/log" },
  { HOME: folder },
  { LANG: "xx_YY.nonsense", LC_ALL: "nonsense", LC_MESSAGES: "nonsense", LANGUAGE: "nonsense" },
  { TZ: "nonsense/nowhere", TZDIR: folder },
  { RES_OPTIONS: "nonsense", LOCALDOMAIN: "nonsense", HOSTALIASES: "/dev/null/hosts" },
];

const rowsOf = (rows: readonly NodeJS.ProcessEnv[]) =>
  rows.map((env) => ({ names: Object.keys(env).join(", "), env }));

function expectNoEffect(env: NodeJS.ProcessEnv): void {
  // Files that a variable points to would be run, or read as data.
  writeFileSync(join(folder, "module.cjs"), "console.log('INJECTED')");
  writeFileSync(join(folder, "icudt78l.dat"), "no data of ICU");
  const before = readdirSync(folder);
  expect(answers(env)).toEqual(plain);
  expect(readdirSync(folder)).toEqual(before);
}

/** The names of the environment of the running executable itself, as a program that it starts sees them. */
function namesInside(env: NodeJS.ProcessEnv): readonly string[] {
  pullWith('cat "/proc/$PPID/environ"', env);
  const environ = readFileSync(join(folder, "output"), "utf8");
  return environ.split("\0").map((it) => it.split("=")[0] ?? "");
}

test.each(rowsOf(HIDDEN))("$names: hidden from Node; nothing changes or is written", ({ env }) => {
  expectNoEffect(env);
  const names = namesInside(env);
  const hidden = Object.keys(env).filter((it) => HIDDEN_PREFIXES.some((by) => it.startsWith(by)));
  expect(hidden).not.toEqual([]);
  for (const name of hidden) {
    expect(names).toContain(name.slice(0, 1).toLowerCase() + name.slice(1));
    expect(names).not.toContain(name);
  }
});

test.each(rowsOf(UNUSED))("$names: nothing changes or is written", ({ env }) => {
  expectNoEffect(env);
  expect(namesInside(env)).toEqual(expect.arrayContaining(Object.keys(env)));
});

/** A pull whose first program writes what `command` prints to `output` in the folder, and fails. */
function pullWith(command: string, env: NodeJS.ProcessEnv): void {
  const path = join(work, "path");
  mkdirSync(path, { recursive: true });
  for (const it of ["skopeo", "ostree"]) {
    writeFileSync(join(path, it), `#!/bin/sh\n${command} > ${folder}/output\nexit 1\n`);
    chmodSync(join(path, it), 0o755);
  }
  const repo = join(work, "repo");
  mkdirSync(join(repo, "objects"), { recursive: true });
  writeFileSync(join(repo, "config"), "[core]\nrepo_version=1\nmode=bare-user\n");
  const pull = "internals ostree-container image pull".split(" ");
  const args = [...pull, repo, "ostree-unverified-registry:x.invalid/y"];
  expect(run(bootc, args, { ...env, PATH: `${path}:${process.env.PATH}` }).status).not.toBe(0);
}

test("the programs it starts get every variable under its own name", () => {
  const given = {
    OPENSSL_CONF: "/etc/ssl/openssl.cnf",
    SSL_CERT_FILE: "/etc/ssl/ca.pem",
    NODE_OPTIONS: "--no-warnings",
    UV_THREADPOOL_SIZE: "2",
    OPENER: "xdg-open",
    ICU_DATA: "",
    NODE_EXTRA_CA_CERTS: "/etc/ssl/ca.pem",
  };
  pullWith("env", given);
  const lines = readFileSync(join(folder, "output"), "utf8").split("\n");
  const names = lines.map((it) => it.split("=")[0]?.toLowerCase());
  for (const [name, value] of Object.entries(given)) {
    expect(lines).toContain(`${name}=${value}`);
    expect(names.filter((it) => it === name.toLowerCase())).toHaveLength(1);
  }
});

/** Files that are read before our code runs; whoever may change these may change the executable. */
const OPENED = [
  /^\/etc\/ld\.so\.(preload|cache)$/,
  /\/lib[\w.+-]+\.so(\.\d+)*$/,
  /^\/(proc|sys)\//,
  /^\/dev\/null$/,
];

test("at its start it opens only the system's own files", ({ skip }) => {
  const strace = ["-f", "-qq", "-e", "trace=%file", "-o", join(work, "trace")];
  if (spawnSync("strace", [...strace, "true"]).status !== 0) skip("strace cannot be used here");
  expect(run("strace", [...strace, bootc, "--version"]).status).toBe(0);
  const paths = [
    ...readFileSync(join(work, "trace"), "utf8").matchAll(/^\d+ +\w+\((?:AT_FDCWD, )?"([^"]+)"/gm),
  ]
    .map(([, path = ""]) => path)
    .filter((it) => it !== bootc);
  expect(paths.length).toBeGreaterThan(5);
  expect(paths.filter((path) => !OPENED.some((it) => it.test(path)))).toEqual([]);
});
