//! The doctor.

super::adapters! {
    doctor_check: DoctorCheck,
    doctor_repair: DoctorRepair,
}
