{#
A stay's signature changes whenever a row that says something about it comes, goes or is replaced: the lake numbers the
snapshot that wrote each row, so per table the number of rows and the latest snapshot tell. The hospitals of the stay's
regions are part of it, because marts carry their names, levels and currency.
#}
with

hospital as (
    select * from {{ ref('int_hospitals__registered') }}
),

front_page as (
    select
        source_id,
        mdtrt_id,
        max(cast(date_trunc('month', endtime) as date)) as discharge_month,
        max(psn_no) as psn_no,
        hash('front_page', count(*), max(snapshot_id)) as part
    from {{ source('raw', 'front_page') }}
    group by source_id, mdtrt_id
),

part as (
    select
        source_id,
        mdtrt_id,
        discharge_month,
        psn_no,
        part
    from front_page
    {% for entity in ['diagnosis', 'operation', 'fee_line', 'settlement'] %}
        union all
        select
            source_id,
            mdtrt_id,
            null as discharge_month,
            null as psn_no,
            hash('{{ entity }}', count(*), max(snapshot_id)) as part
        from {{ source('raw', entity) }}
        group by source_id, mdtrt_id
    {% endfor %}
),

region as (
    select
        hospital.region,
        bit_xor(hash(hospital)) as part
    from hospital
    group by hospital.region
),

register as (
    select
        hospital.source_id,
        sum(region.part) as part
    from hospital
    inner join region
        on hospital.region = region.region
    group by hospital.source_id
),

summed as (
    select
        part.source_id,
        part.mdtrt_id,
        max(part.discharge_month) as discharge_month,
        max(part.psn_no) as psn_no,
        bit_xor(part.part) as part
    from part
    group by part.source_id, part.mdtrt_id
),

signed as (
    select
        summed.source_id || ':' || summed.mdtrt_id as stay_id,
        summed.discharge_month,
        summed.psn_no,
        hash(summed.part, register.part) as signature
    from summed
    left join register
        on summed.source_id = register.source_id
)

select * from signed
