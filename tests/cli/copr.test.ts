// `xtask copr` as a process: options, exit statuses, standard output and messages.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CoprServer, LOGIN, startCoprServer, TOKEN, tokenFile } from "../copr-server.ts";
import { addGitHubFault, GITHUB_TOKEN, REPOSITORY, startGitHubServer } from "../github-server.ts";

const TOP = join(import.meta.dirname, "../..");
const ENTRY = join(TOP, "xtask/entry.ts");

let server: CoprServer;
let home: string;
let projectFile: string;

beforeEach(async () => {
  server = await startCoprServer();
  home = await mkdtemp(join(tmpdir(), "copr-home-"));
  await mkdir(join(home, ".config"));
  await writeTokenFile(tokenFile(server));
  projectFile = join(home, "project.json");
  const project = JSON.parse(await readFile(join(TOP, "copr/project.json"), "utf8")) as object;
  await writeFile(projectFile, JSON.stringify({ ...project, copr: server.url, owner: "tester" }));
});

afterEach(async () => {
  await server.close();
  await rm(home, { recursive: true });
});

async function writeTokenFile(text: string): Promise<void> {
  await writeFile(join(home, ".config/copr"), text, { mode: 0o600 });
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function xtask(...args: readonly string[]): Promise<Ended> {
  return await ended(start(args));
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawn(process.execPath, [ENTRY, "copr", ...args], {
    cwd: home,
    env: { PATH: process.env.PATH, HOME: home, COPR_PROJECT_FILE: projectFile, ...env },
  });
}

async function ended(child: ReturnType<typeof start>): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk);
  });
  const [status] = (await once(child, "close")) as [number | null];
  for (const secret of [LOGIN, TOKEN, ...[...server.projects.values()].map((it) => it.secret)]) {
    expect(stdout + stderr).not.toContain(secret);
  }
  return { status, stdout, stderr };
}

test("from nothing to an auto-building project", async () => {
  const dry = await xtask("apply", "--dry-run");
  expect(dry.status).toBe(0);
  expect(dry.stderr).toContain("+ package webhook_rebuild: true");
  expect(server.projects.size).toBe(0);

  const applied = await xtask("apply");
  expect(applied).toMatchObject({ status: 0, stdout: `${server.url}/coprs/tester/bootc/\n` });
  expect(server.projects.get("tester/bootc")?.chroots).toHaveLength(10);

  const built = await xtask("build", "--wait", "--interval", "0.01");
  expect(built).toMatchObject({ status: 0 });
  expect(built.stdout).toBe(`build 1001 succeeded: ${server.url}/coprs/build/1001\n`);
});

test("a failed build: status 1, the failing log's tail, and all of it as JSON", async () => {
  await xtask("apply");
  server.outcome = "failed-chroot";
  const built = await xtask(
    "build",
    "--wait",
    "--json",
    "--interval",
    "0.01",
    "--chroot",
    "fedora-44-x86_64",
  );
  expect(built.status).toBe(1);
  expect(built.stderr).toContain("the end of fedora-44-x86_64: failed");
  expect(built.stderr).toContain('"message":"build 1001 failed in fedora-44-x86_64"');
  const json = JSON.parse(built.stdout) as {
    state: string;
    chroots: { name: string; state: string }[];
  };
  expect(json.state).toBe("failed");
  expect(json.chroots).toMatchObject([{ name: "fedora-44-x86_64", state: "failed" }]);
});

test("a failed import into dist-git is named as such, and the good source RPM's log is not shown", async () => {
  await xtask("apply");
  server.outcome = "failed-import";
  const chroot = ["--chroot", "fedora-44-x86_64"];
  const built = await xtask("build", "--wait", "--interval", "0.01", ...chroot);
  expect(built.status).toBe(1);
  expect(built.stderr).toContain(" build 1001: failed to be imported\n");
  expect(built.stderr).toMatch(
    /error: build 1001 failed in the import into COPR's dist-git\nhint: .*\/coprs\/build\/1001/,
  );
  expect(built.stderr).not.toContain("the last lines of");
  expect((await xtask("status", "1001")).stdout).toMatch(
    /^build 1001: .*: failed to be imported, /,
  );
});

test("a refused token is status 5 and says where to get one", async () => {
  server.isTokenRevoked = true;
  const { status, stderr } = await xtask("apply");
  expect(status).toBe(5);
  expect(stderr).toContain("hint: a token works for 180 days; get a new one at");
});

test("an expired token is explained", async () => {
  server.isTokenRevoked = true;
  await writeTokenFile(tokenFile(server).replace("2099-01-01", "2025-01-01"));
  const { status, stderr } = await xtask("apply");
  expect(status).toBe(5);
  expect(stderr).toContain(
    `warning: the token ended on 2025-01-01; get a new one at ${server.url}/api/`,
  );
});

test("no token file is status 5", async () => {
  await rm(join(home, ".config/copr"));
  const { status, stderr } = await xtask("apply");
  expect(status).toBe(5);
  expect(stderr).toMatch(/^error: there is no token file `.*\.config\/copr`\nhint: log in at/);
});

test("commands that only read need no token", async () => {
  await xtask("apply");
  server.outcome = "failed-chroot";
  await xtask("build", "--chroot", "fedora-44-x86_64");
  const { secret = "" } = server.projects.get("tester/bootc") ?? {};
  await rm(join(home, ".config/copr"));
  const verbs = [["status"], ["status", "1001"], ["monitor"], ["logs"], ["webhook"]];
  for (const args of [...verbs, ["apply", "--dry-run"]]) {
    expect(await xtask(...args), args.join(" ")).toMatchObject({ status: 0 });
  }
  expect((await xtask("watch", "1001", "--interval", "0.01")).stderr).toContain(
    "build 1001 failed",
  );
  for (const verb of [["cancel", "1001"], ["build"], ["webhook", "--rotate"]]) {
    expect(await xtask(...verb), verb.join(" ")).toMatchObject({ status: 5 });
  }
  expect(server.projects.get("tester/bootc")?.secret).toBe(secret);
});

test.each([
  [
    "is for Kerberos",
    () => "[copr-cli]\ngssapi = true\n",
    /asks for Kerberos.*, which is not supp/,
  ],
  [
    "is for another server",
    () => tokenFile(server).replace(server.url, "http://127.0.0.1:1"),
    /is for/,
  ],
])("a token file that %s does not hinder reading, and is not used", async (_, text, want) => {
  await xtask("apply");
  await writeTokenFile(text());
  server.seen.length = 0;
  const { status, stderr } = await xtask("status");
  expect(status).toBe(0);
  expect(stderr).toMatch(want);
  expect(server.seen).toMatchObject([{ path: "/build/list", hasToken: false }]);
  // A file that the user names must be used.
  expect((await xtask("status", "--config", join(home, ".config/copr"))).status).toBe(5);
});

test("a token file for another server is refused before anything is sent", async () => {
  await writeTokenFile(tokenFile(server).replace(server.url, "http://127.0.0.1:1"));
  const { status, stderr } = await xtask("apply");
  expect(status).toBe(5);
  expect(stderr).toContain("the token file is for `http://127.0.0.1:1`, not for");
  expect(server.seen).toEqual([]);
});

test("a token file that others may read is warned about", async () => {
  await chmod(join(home, ".config/copr"), 0o644);
  expect((await xtask("apply", "--dry-run")).stderr).toContain("chmod 600");
});

test("a mistake in the project file is status 2, with its line", async () => {
  await writeFile(projectFile, '{\n  "owner": "x",\n  "nonsense": 1\n}\n');
  const { status, stderr } = await xtask("apply");
  expect(status).toBe(2);
  expect(stderr).toMatch(/project\.json:3: `nonsense` is not a setting/);
  expect(server.seen).toEqual([]);
});

test("a time limit is status 10", async () => {
  await xtask("apply");
  server.outcome = "never-ends";
  const { status, stderr } = await xtask(
    "build",
    "--wait",
    "--interval",
    "0.01",
    "--time-limit",
    "0.2s",
  );
  expect(status).toBe(10);
  expect(stderr).toContain("hint: watch it again with: npm run xtask -- copr watch 1001");
});

test("Ctrl-C while watching leaves the build running, status 10", async () => {
  await xtask("apply");
  server.outcome = "never-ends";
  const id = (await xtask("build")).stdout.trim();
  const child = start(["watch", id, "--interval", "0.01"]);
  child.stderr.on("data", (chunk) => {
    if (!String(chunk).includes("building")) return;
    // A terminal signals the whole group, and run.cjs signals its child again.
    child.kill("SIGINT");
    setImmediate(() => child.kill("SIGINT"));
  });
  const { status, stderr } = await ended(child);
  expect(status).toBe(10);
  expect(stderr).toContain(`stopped watching build ${id}, which continues: interrupted`);
  expect(stderr).toContain(`copr watch ${id}`);
  expect(server.seen.some((it) => it.path.startsWith("/build/cancel"))).toBe(false);
});

test("status, logs, monitor and cancel", async () => {
  await xtask("apply");
  server.outcome = "failed-chroot";
  const chroots = ["--chroot", "fedora-44-aarch64", "fedora-44-x86_64"];
  await xtask("build", "--wait", "--interval", "0.01", ...chroots);
  server.outcome = "never-ends";
  await xtask("build", "--commit", "v2.0.0", ...chroots);

  const list = await xtask("status");
  expect(list.stdout).toMatch(/^BUILD +STATE .*\n1002 +pending .*\n1001 +failed +2\.0\.0-1 /);
  expect((await xtask("status", "1001")).stdout).toMatch(/fedora-44-aarch64 +failed/);
  expect((await xtask("monitor")).stdout).toMatch(/bootc +fedora-44-aarch64 +\w+ +1002/);

  const log = await xtask("logs", "1001", "--chroot", "fedora-44-aarch64", "--tail", "1");
  expect(log.stdout).toBe("the end of fedora-44-aarch64: failed\n");
  expect((await xtask("logs", "1001", "--chroot", "nowhere")).status).toBe(2);

  expect(await xtask("cancel", "1002")).toMatchObject({
    status: 0,
    stdout: "build 1002: canceled\n",
  });
  const again = await xtask("cancel", "1002");
  expect(again).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("Cannot cancel build"),
  });
  expect((await xtask("watch", "1002", "--interval", "0.01")).status).toBe(1);

  // The server never says when it ended, so no time is shown instead of a growing one.
  expect((await xtask("status")).stdout).toMatch(/^1002 +canceled +\S+ \S+Z$/m);
  expect((await xtask("status", "1002")).stdout.split("\n", 1)).toEqual([
    "build 1002: canceled, 2 of 2 chroots done",
  ]);
});

test("webhook shows the address without its secret, and keeps a new one in a private file", async () => {
  await xtask("apply");
  const shown = await xtask("webhook");
  expect(shown.stdout).toBe(`${server.url}/webhooks/github/500/***/bootc/\n`);
  const before = server.projects.get("tester/bootc")?.secret;
  const path = (await xtask("webhook", "--rotate")).stdout.trim();
  const secret = server.projects.get("tester/bootc")?.secret;
  expect(secret).not.toBe(before);
  expect(await readFile(join(TOP, path), "utf8")).toContain(`/${secret}/bootc/`);
  expect((await stat(join(TOP, path))).mode & 0o777).toBe(0o600);
  await rm(join(TOP, path));
});

test("webhook --install sets it on GitHub, and --test proves it by a build", async () => {
  await xtask("apply");
  const github = await startGitHubServer();
  const env = { GITHUB_TOKEN, GITHUB_API_URL: github.url, GITHUB_REPOSITORY: REPOSITORY };
  const old = server.projects.get("tester/bootc")?.secret;

  // Without the permission to write webhooks, the working one stays.
  const body = '{"message":"Resource not accessible by personal access token"}';
  addGitHubFault(github, {
    on: `GET /repos/${REPOSITORY}/hooks`,
    times: 1,
    kind: { status: 403, body },
  });
  expect((await ended(start(["webhook", "--install"], env))).status).toBe(5);
  expect(server.projects.get("tester/bootc")?.secret).toBe(old);

  // Now the old address is dead, and the error must say so when GitHub refuses the new one.
  addGitHubFault(github, {
    on: `POST /repos/${REPOSITORY}/hooks`,
    times: 1,
    kind: { status: 500, body: "{}" },
  });
  const failed = await ended(start(["webhook", "--install"], env));
  expect(failed.status).toBe(4);
  expect(failed.stderr).toMatch(/the old address no longer works.*\nhint: run the same command/);

  const installed = await ended(start(["webhook", "--install"], env));
  expect(installed.stdout).toBe(`made ${server.url}/webhooks/github/500/***/bootc/\n`);
  const secret = server.projects.get("tester/bootc")?.secret;
  expect(github.hooks[0]?.config.url).toBe(`${server.url}/webhooks/github/500/${secret}/bootc/`);
  await github.close();

  // git can read the repository that the project builds here.
  const project = JSON.parse(await readFile(projectFile, "utf8")) as { package: object };
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", join(home, "demo.git")]);
  const git = ["-C", join(home, "demo.git"), "-c", "user.name=t", "-c", "user.email=t@example.org"];
  execFileSync("git", [...git, "commit", "--quiet", "--allow-empty", "--message=x"]);
  execFileSync("git", [
    "config",
    "--file",
    join(home, ".gitconfig"),
    `url.file://${home}/demo.git.insteadOf`,
    "https://example.org/demo.git",
  ]);
  const pkg = { ...project.package, cloneUrl: "https://example.org/demo.git" };
  await writeFile(projectFile, JSON.stringify({ ...project, package: pkg }));
  await xtask("apply");
  // The address has its own secret.
  await rm(join(home, ".config/copr"));
  const tested = await xtask("webhook", "--test", "--interval", "0.01");
  expect(tested).toMatchObject({ status: 0, stdout: "1001\n" });
  await rm(join(TOP, "target/copr-webhook-url"));
});

test("an unreachable server is status 4", async () => {
  const { url } = server;
  await server.close();
  const { status, stderr } = await xtask("apply");
  expect(status).toBe(4);
  expect(stderr).toContain(`cannot reach \`${url}\``);
  server = await startCoprServer();
}, 60_000);

test.each([
  [["watch", "abc"], "`abc` is not the number of a build"],
  [["build", "--wait", "--time-limit", "soon"], "--time-limit: `soon` is not a duration"],
  [["build", "--srpm", "x.rpm"], "`x.rpm` is not a source RPM"],
  [["build", "--srpm", "x.src.rpm", "--commit", "y"], "--srpm and --commit exclude each other"],
  [["build", "--srpm", "x.src.rpm"], "there is no file `x.src.rpm`"],
  [["nonsense"], "unknown command 'nonsense'"],
  [["watch", "--nonsense"], "unknown option '--nonsense'"],
])("copr %s is a usage error", async (args, want) => {
  const { status, stderr } = await xtask(...args);
  expect(status).toBe(2);
  expect(stderr).toContain(want);
});
