{{ config(materialized='view') }}

with

use as (
    select
        use.*,
        hospital.source_id
    from {{ ref('ind_drug_use') }} as use
    inner join {{ ref('dim_hospital') }} as hospital
        on use.hospital_id = hospital.hospital_id
),

assigned as (
    select * from {{ ref('stg_claims__assigned_value') }}
    where kind = 'drug' and code is not null
),

spectrum as (
    select * from {{ ref('ind_formulary_coverage') }}
),

-- Drugs are those of the reference that held on the first day of the month.
used as (
    select
        use.discharge_month,
        use.region,
        use.currency,
        use.origin,
        use.diagnosis_system,
        use.diagnosis_category,
        assigned.code,
        min(assigned.national_name) as national_name,
        coalesce(bool_or(assigned.is_essential), false) as is_formulary,
        sum(use.stay_count) as use_count,
        sum(use.amount) as amount
    from use
    inner join assigned
        on
            use.source_id = assigned.source_id
            and use.medins_list_codg = assigned.medins_list_codg
            and use.medins_list_name = assigned.medins_list_name
            and use.discharge_month >= assigned.valid_from
            and (use.discharge_month < assigned.valid_to or assigned.valid_to is null)
    group by all
),

counted as (
    select
        used.discharge_month,
        used.region,
        used.currency,
        used.origin,
        used.code,
        min(used.national_name) as national_name,
        bool_or(used.is_formulary) as is_formulary,
        count(*) as disease_count,
        sum(spectrum.spectrum_share) as spectrum_share,
        cast(sum(used.use_count) as bigint) as use_count,
        cast(sum(used.amount) as decimal(38, 2)) as amount
    from used
    inner join spectrum
        on
            used.discharge_month = spectrum.discharge_month
            and used.region = spectrum.region
            and used.currency = spectrum.currency
            and used.origin = spectrum.origin
            and used.diagnosis_system = spectrum.diagnosis_system
            and used.diagnosis_category = spectrum.diagnosis_category
    group by used.discharge_month, used.region, used.currency, used.origin, used.code
),

final as (
    select
        counted.*,
        cast(counted.amount as double) / cast(nullif(sum(counted.amount) over whole_month, 0) as double) as amount_share
    from counted
    window whole_month as (partition by counted.discharge_month, counted.region, counted.currency, counted.origin)
)

select * from final
