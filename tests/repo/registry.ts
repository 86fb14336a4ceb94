// A real registry on loopback for tests, with its access log, and optionally TLS and passwords.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface RegistryOptions {
  /** Serve TLS with a certificate of a private authority, whose own certificate is `caFile`. */
  readonly hasTls?: boolean;
  /** Ask for the name and password of `USER`. */
  readonly hasPassword?: boolean;
}

export interface Registry {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  readonly dir: string;
  /** The certificate of the authority, in a directory that can be given as `--cert-dir`. */
  readonly certDir: string;
  /** The requests since the last call, as `METHOD PATH STATUS`. */
  requests(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** The only user; the registry accepts only bcrypt, so the hash is here as well. */
export const USER = {
  name: "someone",
  password: "secret",
  hash: "$2b$04$oDOVzbavTD8dycJHVVgYeebRJ/V7Cl3xjVP57qGePVzG/vauUIkmW",
} as const;

/** Starts a registry that is empty. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-registry-"));
  const port = await freePort();
  const certDir = join(dir, "certs");
  await mkdir(certDir);
  if (options.hasTls) makeCertificates(dir);
  if (options.hasPassword) await writeFile(join(dir, "htpasswd"), `${USER.name}:${USER.hash}\n`);
  await writeFile(join(dir, "config.yml"), formatConfig(dir, { ...options, port }));
  const log = join(dir, "log");
  const child = spawn("sh", ["-c", `exec docker-registry serve config.yml >log 2>&1`], {
    cwd: dir,
    stdio: "ignore",
  });
  await waitUntilServing(child, { log, address: `127.0.0.1:${port}` });
  let seen = 0;
  return {
    address: `127.0.0.1:${port}`,
    dir,
    certDir,
    async requests() {
      const lines = (await readFile(log, "utf8")).split("\n");
      const fresh = lines.slice(seen);
      seen = Math.max(lines.length - 1, 0);
      return fresh.flatMap(parseAccess);
    },
    async stop() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await rm(dir, { recursive: true });
    },
  };
}

/** Requests for layer and configuration blobs among `requests`. */
export function blobRequests(requests: readonly string[]): readonly string[] {
  return requests.filter((it) => /^GET .*\/blobs\//.test(it));
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function formatConfig(dir: string, options: RegistryOptions & { readonly port: number }): string {
  return JSON.stringify({
    version: 0.1,
    log: { accesslog: { disabled: false }, level: "error" },
    storage: { filesystem: { rootdirectory: join(dir, "data") }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${options.port}`,
      ...(options.hasTls
        ? { tls: { certificate: join(dir, "server.crt"), key: join(dir, "server.key") } }
        : {}),
    },
    ...(options.hasPassword
      ? { auth: { htpasswd: { realm: "test", path: join(dir, "htpasswd") } } }
      : {}),
  });
}

async function waitUntilServing(
  child: ChildProcess,
  { log, address }: { readonly log: string; readonly address: string },
): Promise<void> {
  const [host = "", port = ""] = address.split(":");
  for (let tries = 0; tries < 1200; tries++) {
    if (child.exitCode !== null) throw new Error(`registry: ${await readFile(log, "utf8")}`);
    if (await accepts(host, Number(port))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the registry does not serve: ${await readFile(log, "utf8")}`);
}

async function accepts(host: string, port: number): Promise<boolean> {
  const { connect } = await import("node:net");
  return await new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** `127.0.0.1 - - [date] "GET /v2/ HTTP/1.1" 200 2 "" "agent"` */
function parseAccess(line: string): readonly string[] {
  const [, method, path, status] = /"([A-Z]+) (\S+) HTTP\/[\d.]+" (\d{3})/.exec(line) ?? [];
  return method === undefined ? [] : [`${method} ${path} ${status}`];
}

function makeCertificates(dir: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "certs/ca.crt",
    "-subj",
    "/CN=test authority",
  );
  openssl("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1");
  execFileSync("sh", ["-c", "printf 'subjectAltName=IP:127.0.0.1,DNS:registry.test' >san"], {
    cwd: dir,
  });
  openssl(
    ...["x509", "-req", "-in", "server.csr", "-CA", "certs/ca.crt", "-CAkey", "ca.key"],
    ...["-CAcreateserial", "-out", "server.crt", "-days", "2", "-extfile", "san"],
  );
}
