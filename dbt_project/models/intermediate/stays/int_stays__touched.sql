{#
The lake keeps which snapshot wrote or deleted a row, so what changed since the last build is read from the files of these
snapshots alone. A stay is touched under its month and person of now and under those of deleted front pages. Marts carry
names, levels and currencies of the register: with a hospital of a region, all stays of the region's sources are touched.
#}
{{ config(materialized='table', pre_hook="{{ forget_built() }}") }}
-- depends_on: {{ ref('int_hospitals__registered') }}

{%- set entities = ['front_page', 'diagnosis', 'operation', 'settlement', 'fee_line'] -%}
{%- set is_anew = anew() -%}
{%- set after = 0 if is_anew else built_snapshot() -%}
{%- set until = newest_snapshot() %}

with

{% if is_anew %}
    seen as (
        {% for entity in entities %}
            select {{ stay_named_by(entity) }}
            from {{ source('raw', entity) }}
            {{ 'union' if not loop.last }}
        {% endfor %}
    ),
{% else %}
    registered as (
        {% for kind, sign in [('insertions', 1), ('deletions', -1)] %}
            select
                * exclude (batch_id, row_no),
                {{ sign }} as sign
            from {{ raw_changes(kind, 'hospital', after, until) }}
            {{ 'union all' if not loop.last }}
        {% endfor %}
    ),

    -- A register that was delivered again with the same words is no change.
    region as (
        select distinct coalesce(nullif(trim(altered.region), ''), 'unknown') as region
        from (
            select * exclude (sign)
            from registered
            group by all
            having sum(sign) <> 0
        ) as altered
    ),

    source as (
        select hospital.source_id
        from {{ ref('int_hospitals__registered') }} as hospital
        where hospital.region in (select region.region from region)
        union
        select registered.source_id
        from registered
        where coalesce(nullif(trim(registered.region), ''), 'unknown') in (select region.region from region)
    ),

    changed as (
        {% for entity in entities %}
            {% for kind in ['insertions', 'deletions'] %}
                select {{ stay_named_by(entity) }}
                from {{ raw_changes(kind, entity, after, until) }}
                union
            {% endfor %}
            select {{ stay_named_by(entity) }}
            from {{ source('raw', entity) }}
            where source_id in (select source.source_id from source)
            {{ 'union' if not loop.last }}
        {% endfor %}
    ),

    -- A front page that did not change itself tells the month and the person of a stay of which something else did.
    page as (
        select
            front_page.source_id,
            front_page.mdtrt_id,
            cast(date_trunc('month', front_page.endtime) as date) as discharge_month,
            front_page.psn_no
        from {{ source('raw', 'front_page') }} as front_page
        semi join changed
            on front_page.source_id = changed.source_id and front_page.mdtrt_id = changed.mdtrt_id
    ),

    seen as (
        select * from changed
        union
        select * from page
    ),
{% endif %}

touched as (
    select
        seen.source_id || ':' || seen.mdtrt_id as stay_id,
        seen.source_id,
        seen.mdtrt_id,
        seen.discharge_month,
        seen.psn_no,
        cast({{ until }} as bigint) as snapshot_id
    from seen
)

select * from touched
