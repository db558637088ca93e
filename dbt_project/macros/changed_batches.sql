{#
The batches that a table keyed by batch_id must let go before it takes new ones: those that raw no longer holds, and
those of which raw holds other rows than the table was built from. A landed month therefore costs a month.
`line_count` is the expression that counts raw lines in the table itself.
#}
{% macro drop_changed_batches(line_count) %}
    {% if is_incremental() %}
        delete from {{ this }}
        where batch_id in (
            select batch_id
            from (
                select
                    batch_id,
                    {{ line_count }} as line_count,
                    sum(det_item_fee_sumamt) as amount
                from {{ this }}
                group by batch_id
                except
                select
                    batch_id,
                    count(*) as line_count,
                    sum(det_item_fee_sumamt) as amount
                from {{ source('raw', 'fee_line') }}
                group by batch_id
            )
        )
    {% endif %}
{% endmacro %}
