// A real etcd on loopback, and the two questions that a lock in it needs.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../repo/registry.ts";

export interface StoredValue {
  readonly text: string | undefined;
  /** Changes with every write; 0 for a key that does not exist. */
  readonly revision: string;
}

export interface Etcd {
  read(key: string): Promise<StoredValue>;
  /** False if the key was written since `revision`. */
  replace(key: string, text: string, revision: string): Promise<boolean>;
  stop(): Promise<void>;
}

export async function startEtcd(): Promise<Etcd> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-etcd-"));
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const child = spawn(
    "etcd",
    [
      ...[`--data-dir=${dir}`, `--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
      ...[`--listen-peer-urls=http://127.0.0.1:${peer}`, "--log-level=error"],
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
    ],
    { stdio: ["ignore", "ignore", "ignore"] },
  );
  await waitForAnswer(child, url);
  const ask = async (path: string, body: object) => {
    const answer = await fetch(`${url}/v3/kv/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`etcd answers ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as EtcdAnswer;
  };
  return {
    async read(key) {
      const [found] = (await ask("range", { key: encode(key) })).kvs ?? [];
      if (found === undefined) return { text: undefined, revision: "0" };
      return { text: atob(found.value ?? ""), revision: found.mod_revision };
    },
    async replace(key, text, revision) {
      const { succeeded } = await ask("txn", {
        compare: [{ key: encode(key), target: "MOD", result: "EQUAL", mod_revision: revision }],
        success: [{ request_put: { key: encode(key), value: encode(text) } }],
      });
      return succeeded === true;
    },
    async stop() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await rm(dir, { recursive: true, force: true });
    },
  };
}

interface EtcdAnswer {
  readonly kvs?: readonly { readonly value?: string; readonly mod_revision: string }[];
  readonly succeeded?: boolean;
}

const encode = (text: string) => Buffer.from(text).toString("base64");

async function waitForAnswer(child: ChildProcess, url: string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error("etcd ended at once");
    const answer = await fetch(`${url}/health`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
