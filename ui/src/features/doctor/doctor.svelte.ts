//! What the doctor found last. It runs when the agent has come or gone, and whenever somebody asks.
import { commands, Resource, type DoctorCheck, type DoctorReport } from "$ipc";

export const doctor = new Resource<DoctorReport>(() => commands.doctorCheck());

export function toRepair(report: DoctorReport | undefined): DoctorCheck[] {
  return (report?.checks ?? []).filter((check) => check.state !== "ok");
}

export function fine(report: DoctorReport | undefined): DoctorCheck[] {
  return (report?.checks ?? []).filter((check) => check.state === "ok" && !check.command);
}

/** What is no fault, and of which there could be more: its command is what it takes. */
export function optional(report: DoctorReport | undefined): DoctorCheck[] {
  return (report?.checks ?? []).filter((check) => check.state === "ok" && check.command);
}
