// Prometheus, which scrapes figures as node_exporter serves them, and answers what the dashboard asks.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnBound, waitFor } from "../vm/shell.ts";
import { freePort } from "./registry.ts";

const absent = ["prometheus", "prometheus-node-exporter"].find(
  (it) => spawnSync(it, ["--version"]).error !== undefined,
);
/** Why nothing can be scraped here. */
export const missingPrometheus = absent && `needs ${absent}`;

export interface Answer {
  readonly panel: string;
  readonly query: string;
  /** How many series it has; none where a comparison holds for no host. */
  readonly series: number;
}

const DASHBOARD = join(import.meta.dirname, "../../packaging/monitoring/grafana-dashboard.json");

/** What is asked for every panel of the dashboard, once `figures` were scraped twice. */
export async function askDashboard(figures: string): Promise<readonly Answer[]> {
  const dir = mkdtempSync(join(tmpdir(), "bootc-prometheus-"));
  const [exporter, server] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  mkdirSync(join(dir, "figures"));
  writeFileSync(join(dir, "figures/bootc.prom"), figures);
  const config = {
    global: { scrape_interval: "1s" },
    scrape_configs: [{ job_name: "node", static_configs: [{ targets: [exporter] }] }],
  };
  writeFileSync(join(dir, "prometheus.yml"), JSON.stringify(config));
  const children = [
    spawnBound(
      "prometheus-node-exporter",
      [
        ...["--collector.disable-defaults", "--collector.textfile"],
        ...[`--collector.textfile.directory=${dir}/figures`, `--web.listen-address=${exporter}`],
      ],
      { stdio: "ignore" },
    ),
    spawnBound(
      "prometheus",
      [
        ...[`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`],
        `--web.listen-address=${server}`,
      ],
      { stdio: "ignore" },
    ),
  ];
  try {
    await waitFor("two scrapes", 60_000, async () => {
      const twice = "count_over_time(bootc_updates_enabled[1m]) >= 2";
      const series = await countSeries(server, twice).catch(() => 0);
      return series > 0 ? series : undefined;
    });
    const { panels } = JSON.parse(readFileSync(DASHBOARD, "utf8")) as Dashboard;
    const asked = panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ panel: title, query: expr.replaceAll("$instance", ".*") })),
    );
    return await Promise.all(
      asked.map(async (it) => ({ ...it, series: await countSeries(server, it.query) })),
    );
  } finally {
    for (const it of children) {
      it.kill("SIGKILL");
      if (it.exitCode === null && it.signalCode === null) await once(it, "exit");
    }
    rmSync(dir, { recursive: true });
  }
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

async function countSeries(server: string, query: string): Promise<number> {
  const response = await fetch(
    `http://${server}/api/v1/query?${new URLSearchParams({ query }).toString()}`,
  );
  const { status, data, error } = (await response.json()) as {
    readonly status: string;
    readonly data?: { readonly result: readonly unknown[] };
    readonly error?: string;
  };
  if (status !== "success" || data === undefined) throw new Error(`${query}: ${error}`);
  return data.result.length;
}
