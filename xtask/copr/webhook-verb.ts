// `xtask copr webhook`: shows, renews, installs or tests the webhook.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../../src/errors.ts";
import { readFileIfAny } from "../../src/system/files.ts";
import { readGit } from "../checkout/git.ts";
import { connectGitHub, readRepository } from "../release/github.ts";
import { installHook } from "../release/hooks.ts";
import type { Tree } from "../task.ts";
import { parseDuration } from "./build/duration.ts";
import { branchOf } from "./project/project-file.ts";
import { type Opened, open, parseInterval, type ServerFlags } from "./verbs.ts";
import {
  describeWebhook,
  postPush,
  requireTriggeredBuild,
  rotateWebhook,
  saveWebhook,
  type Webhook,
} from "./webhook.ts";

const POLL_MS = 10_000;

interface WebhookFlags extends ServerFlags {
  readonly rotate?: boolean;
  readonly install?: boolean;
  readonly test?: boolean;
  readonly timeLimit: string;
  readonly interval?: string;
}

export async function webhookVerb(tree: Tree, options: WebhookFlags): Promise<string | undefined> {
  const needsToken = options.rotate === true || options.install === true;
  const opened = await open(tree, options, { needsToken });
  const chosen = (["rotate", "install", "test"] as const).filter((it) => options[it] === true);
  if (chosen.length > 1) {
    throw new BootcError(`--${chosen.join(" and --")} exclude each other`, { kind: "usage" });
  }
  const answer = await carryOut(tree, opened, options);
  return options.json === true ? JSON.stringify(answer, undefined, 2) : answer.text;
}

interface WebhookAnswer {
  readonly text: string;
  readonly url?: string;
  readonly buildId?: number;
}

async function carryOut(tree: Tree, opened: Opened, options: WebhookFlags): Promise<WebhookAnswer> {
  const { copr, file } = opened;
  if (options.install === true) return await install(tree, opened);
  if (options.test === true) return await runTest(tree, opened, options);
  if (options.rotate === true) {
    const made = await rotateWebhook(copr, file);
    const path = await save(tree, made);
    tree.ctx.note(`the webhook is ${made.shown}; ${path} contains the full address`);
    tree.ctx.note(
      "set it on GitHub under Settings, Webhooks: content type application/json, only the push event",
    );
    return { text: path, url: made.shown };
  }
  const shown = await describeWebhook(copr, file);
  tree.ctx.note(
    "the server shows the secret only when it makes a new one, for --rotate or --install",
  );
  return { text: shown, url: shown };
}

async function install(tree: Tree, { copr, file }: Opened): Promise<WebhookAnswer> {
  // First make sure that we may set it: a new secret that GitHub does not get breaks a working webhook.
  const github = await connectGitHub(tree, await readRepository(tree));
  await github.requireHooks();
  const made = await rotateWebhook(copr, file);
  await save(tree, made);
  const prefix = made.shown.split("***", 1)[0] ?? "";
  const hook = await doing(
    "setting the new webhook on GitHub (the old address no longer works)",
    () => installHook(github, { url: made.url, prefix }),
  );
  return { text: `${hook} ${made.shown}`, url: made.shown };
}

async function save(tree: Tree, made: Webhook): Promise<string> {
  await mkdir(join(tree.top, "target"), { recursive: true });
  return await saveWebhook(tree.top, made);
}

async function runTest(tree: Tree, opened: Opened, options: WebhookFlags): Promise<WebhookAnswer> {
  const { copr, file } = opened;
  const url = await readSavedUrl(tree.top);
  const sha = await readHead(tree, opened);
  const build = await requireTriggeredBuild(copr, file, {
    sha,
    trigger: () => postPush(copr, url, { file, sha }),
    timeLimitMs: parseDuration(options.timeLimit, "--time-limit"),
    intervalMs: parseInterval(copr, options.interval) ?? POLL_MS,
  });
  tree.ctx.note(`the webhook works; it started build ${build.id}`);
  return { text: String(build.id), buildId: build.id };
}

async function readSavedUrl(top: string): Promise<string> {
  const text = await readFileIfAny(join(top, "target/copr-webhook-url"));
  if (text !== undefined) return text.trim();
  throw new BootcError("the address of the webhook is not saved here", {
    hint: "make a new secret with: npm run xtask -- copr webhook --install (or --rotate)",
  });
}

/** The commit that a push would report: the head of the branch. */
async function readHead(tree: Tree, { file }: Opened): Promise<string> {
  const { cloneUrl } = file.package;
  const branch = branchOf(file.package);
  const text = await readGit(tree, ["ls-remote", cloneUrl, `refs/heads/${branch}`]);
  const sha = /^([0-9a-f]{40,64})\s/.exec(text)?.[1];
  if (sha !== undefined) return sha;
  throw new BootcError(`\`${cloneUrl}\` has no branch \`${branch}\``);
}
