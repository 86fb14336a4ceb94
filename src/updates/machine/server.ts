// Sends one request to a web server: with certificates of one's own, a password, and through a proxy.
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { BootcError, messageOf } from "../../errors.ts";

export interface ServerRequest {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Certificates that the server's is checked with, as PEM; those of Node if undefined. */
  readonly ca: string | undefined;
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

export interface ServerAnswer {
  readonly status: number;
  readonly body: string;
}

/** No answer that we know what to do with is longer. */
const BODY_MAX = 64 << 10;

/** `fetch` needs WebAssembly, which is missing where executable memory is forbidden; this does not. */
export async function askServer(request: ServerRequest): Promise<ServerAnswer> {
  const timeout = AbortSignal.timeout(request.timeoutMs);
  const signal = AbortSignal.any([request.signal, timeout]);
  try {
    return await post({ ...request, signal });
  } catch (error) {
    request.signal.throwIfAborted();
    const why = timeout.aborted ? "no answer in time" : messageOf(error);
    throw new BootcError(`cannot reach \`${request.url}\`: ${why}`, { kind: "network" });
  }
}

async function post(request: ServerRequest): Promise<ServerAnswer> {
  const url = new URL(request.url);
  const proxy = proxyFor(url, request.env);
  const isSecure = url.protocol === "https:";
  const options: RequestOptions = {
    method: "POST",
    headers: { ...request.headers, "content-length": String(Buffer.byteLength(request.body)) },
    signal: request.signal,
  };
  if (!isSecure) {
    const target = proxy === undefined ? {} : { ...hostOf(proxy), path: url.href };
    const headers = { ...options.headers, ...proxyHeaders(proxy), host: url.host };
    const how = { ...options, ...target, headers, agent: false };
    return await exchange(httpRequest(url, how), request.body);
  }
  const ca = request.ca === undefined ? {} : { ca: request.ca };
  if (proxy === undefined) {
    return await exchange(httpsRequest(url, { ...options, ...ca, agent: false }), request.body);
  }
  const tunnel = await openTunnel(url, proxy, request.signal);
  // Node uses this only where there is no agent, not even `false`.
  const createConnection = () => tlsConnect({ socket: tunnel, servername: url.hostname, ...ca });
  try {
    return await exchange(httpsRequest(url, { ...options, createConnection }), request.body);
  } finally {
    tunnel.destroy();
  }
}

async function exchange(
  request: ReturnType<typeof httpRequest>,
  body: string,
): Promise<ServerAnswer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve).once("error", reject).end(body);
  });
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > BODY_MAX) throw new BootcError("the answer is too long");
  }
  return { status: response.statusCode ?? 0, body: text };
}

/** A connection through the proxy to the server of `url`. */
async function openTunnel(url: URL, proxy: URL, signal: AbortSignal): Promise<Socket> {
  const target = `${url.hostname}:${url.port === "" ? 443 : url.port}`;
  const headers = { host: target, ...proxyHeaders(proxy) };
  const options = { ...hostOf(proxy), method: "CONNECT", path: target, headers, signal };
  const request = httpRequest({ ...options, agent: false });
  return await new Promise<Socket>((resolve, reject) => {
    request.once("connect", ({ statusCode }, socket) => {
      if (statusCode === 200) return resolve(socket as Socket);
      socket.destroy();
      reject(new BootcError(`the proxy answers with status ${statusCode}`));
    });
    request.once("response", ({ statusCode }) =>
      reject(new BootcError(`the proxy answers with status ${statusCode}`)),
    );
    request.once("error", reject).end();
  });
}

function hostOf(proxy: URL) {
  return { hostname: proxy.hostname, port: proxy.port === "" ? 80 : Number(proxy.port) };
}

function proxyHeaders(proxy: URL | undefined): Readonly<Record<string, string>> {
  if (proxy === undefined || proxy.username === "") return {};
  const [user, password] = [proxy.username, proxy.password].map(decodeURIComponent);
  return { "proxy-authorization": basicAuthorization(user ?? "", password ?? "") };
}

export function basicAuthorization(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** By the variables that curl and skopeo know. Only proxies that speak plain HTTP are used. */
export function proxyFor(url: URL, env: ServerRequest["env"]): URL | undefined {
  const noProxy = env.no_proxy ?? env.NO_PROXY ?? "";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  for (const pattern of noProxy.split(",").map((it) => it.trim().replace(/^\*?\./, ""))) {
    if (pattern === "*" || pattern === host || (pattern !== "" && host.endsWith(`.${pattern}`))) {
      return undefined;
    }
  }
  // A program on a web server can be made to have HTTP_PROXY, which is why curl ignores it as well.
  const text = url.protocol === "https:" ? (env.https_proxy ?? env.HTTPS_PROXY) : env.http_proxy;
  if (text === undefined || text === "") return undefined;
  const proxy = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (proxy !== null && proxy.protocol === "http:") return proxy;
  throw new BootcError(`\`${text}\` is not the address of an HTTP proxy`, {
    hint: "correct the variables `https_proxy` and `http_proxy`",
  });
}
